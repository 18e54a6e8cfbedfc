package daemon

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
)

// timeFormat has milliseconds, which the library's default lacks.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// LogOptions says what a logger writes and where. The zero value writes JSON of level info to standard error.
type LogOptions struct {
	Level   string    // trace, debug, info, warn or error; default info
	Dir     string    // where combined.log and error.log go; empty: no files
	Console bool      // for people instead of JSON; see Terminal
	Program string    // said in every line; empty: not said
	Out     io.Writer // default os.Stderr
}

// NewLogger returns a logger and what closes its files. Programs may share one Dir: their lines stay whole, and one of
// them rotates for all.
func NewLogger(o LogOptions) (zerolog.Logger, io.Closer) {
	out := o.Out
	if out == nil {
		out = os.Stderr
	}
	if o.Console {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly}
	}
	files := closers{}
	if o.Dir != "" {
		combined := newLogFile(filepath.Join(o.Dir, "combined.log"))
		faults := newLogFile(filepath.Join(o.Dir, "error.log"))
		files = closers{combined, faults}
		out = zerolog.MultiLevelWriter(out, combined,
			&zerolog.FilteredLevelWriter{Writer: zerolog.LevelWriterAdapter{Writer: faults}, Level: zerolog.ErrorLevel})
	}
	level, err := zerolog.ParseLevel(cmp.Or(o.Level, "info"))
	if err != nil {
		level = zerolog.InfoLevel
	}
	log := zerolog.New(out).Level(level).Hook(zerolog.HookFunc(stamp))
	if o.Program != "" {
		log = log.With().Str("program", o.Program).Logger()
	}
	return log, files
}

// Terminal says whether a person reads what is written to f.
func Terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// stamp is a hook because the library's own format is a global variable.
func stamp(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
