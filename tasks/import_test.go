package tasks_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// manyShops is a file of n rows that is never held as a whole; one in ten rows stands for an earlier one.
type manyShops struct {
	n, at int
	buf   []byte
}

func (m *manyShops) Read(p []byte) (int, error) {
	for len(m.buf) == 0 {
		switch {
		case m.at > m.n:
			return 0, io.EOF
		case m.at == 0:
			m.buf = append(m.buf, "external_id,business_name,email,city,notes\n"...)
		default:
			k := m.at - m.at%10/9
			m.buf = fmt.Appendf(m.buf, "%d,Boutique %d,shop%d@example.com,Montréal,Veut plus d'avis\n", k, k, k)
		}
		m.at++
	}
	n := copy(p, m.buf)
	m.buf = m.buf[n:]
	return n, nil
}

func (p *plant) uploads(im tasks.Importer, file io.Reader) store.Import {
	p.t.Helper()
	pre, err := im.Upload(p.t.Context(), p.ws.ID, "many.csv", "", file, tasks.ImportStated{})
	p.must(err)
	return pre.Import
}

func (p *plant) steps(im tasks.Importer, id growth.ImportID) store.Import {
	p.t.Helper()
	i, err := im.Run(p.t.Context(), p.ws.ID, id, tasks.ImportRun{AcceptDoubts: true})
	p.must(err)
	return i
}

// However an import is cut off, each lead comes in once, has one job, and is counted once.
func TestImportGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}, Step: 1}
	i := p.uploads(im, &manyShops{n: 2000})
	if i.Counts.Leads != 1800 || i.Counts.Duplicates != 200 {
		t.Fatalf("counts = %+v", i.Counts)
	}
	i = p.steps(im, i.ID)
	if i.State != store.ImportRunning || i.Position != 500 {
		t.Fatalf("after one step: %s at %d", i.State, i.Position)
	}
	p.exec(`DELETE FROM import_chunks WHERE first > 0`) // they are held for a day only
	p.exec(`UPDATE imports SET position = 0, jobs = 0`) // killed after the leads and jobs were there, before that was noted
	again := p.uploads(im, &manyShops{n: 2000})         // and the file was sent again
	if again.ID != i.ID {
		t.Fatalf("the same file began a second import")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := im.Run(ctx, p.ws.ID, i.ID, tasks.ImportRun{}); err == nil {
		t.Error("a canceled step succeeded")
	}
	for i.State == store.ImportRunning {
		i = p.steps(im, i.ID)
	}
	if i.State != store.ImportDone || i.Position != 1800 || i.Created != 1800 || i.Updated != 0 {
		t.Errorf("import = %+v", i)
	}
	if leads, jobs := p.count(`SELECT count(*) FROM leads`), p.count(`SELECT count(*) FROM jobs`); leads != 1800 || jobs != 1800 {
		t.Errorf("%d leads, %d jobs; want 1800 of each", leads, jobs)
	}
	for i.State != store.ImportUndone {
		var err error
		i, err = im.Undo(t.Context(), p.ws.ID, i.ID)
		p.must(err)
	}
	if i.Erased != 1800 || p.count(`SELECT (SELECT count(*) FROM leads) + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM lead_keys)`) != 0 {
		t.Errorf("undo erased %d; something is left", i.Erased)
	}
}

// Two who run one import at once do not take a lead in twice; one of them is told.
func TestImportIsRunByOne(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}
	i := p.uploads(im, &manyShops{n: 1200})
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := im.Run(t.Context(), p.ws.ID, i.ID, tasks.ImportRun{AcceptDoubts: true})
			results <- err
		}()
	}
	var codes []growth.Code
	for range 2 {
		if err := arrives(t, "a run ends", results); err != nil {
			codes = append(codes, growth.CodeOf(err))
		}
	}
	i, err := p.sc.Import(t.Context(), i.ID)
	p.must(err)
	for i.State == store.ImportRunning { // a slow machine needs another step
		i = p.steps(im, i.ID)
	}
	if len(codes) > 1 || len(codes) == 1 && codes[0] != growth.Conflict {
		t.Errorf("codes %v; want at most one conflict", codes)
	}
	if leads, jobs := p.count(`SELECT count(*) FROM leads`), p.count(`SELECT count(*) FROM jobs`); leads != 1080 || jobs != 1080 {
		t.Errorf("%d leads, %d jobs; want 1080 of each", leads, jobs)
	}
	if n := p.count(`SELECT count(*) FROM jobs WHERE lane LIKE '%:low'`); n != 1080 {
		t.Errorf("%d jobs in the lane of low priority; the others stand before what a form brings", n)
	}
}

// townShops is a file as a town would give it out: accents, one row in fifty for a lead that came half a file before in
// other letters, one in a hundred that cannot be read. It is never held as a whole.
type townShops struct{ manyShops }

func (m *townShops) Read(p []byte) (int, error) {
	for len(m.buf) == 0 {
		k := m.at
		switch {
		case k > m.n:
			return 0, io.EOF
		case k == 0:
			m.buf = append(m.buf, "business_name,address,city,postal_code,phone,email,website,notes\n"...)
		case k%100 == 7:
			m.buf = fmt.Appendf(m.buf, "Sans adresse %d,%d rue A,Montréal,,,not an address,,\n", k, k)
		case k%50 == 3:
			m.buf = fmt.Appendf(m.buf, "BOUTIQUE L'ETE %d INC.,%d RUE DE L'EGLISE,MONTREAL,,,,,Une autre saisie\n", k/2, k/2)
		default:
			m.buf = fmt.Appendf(m.buf, "Boutique l'Été %d inc.,%d rue de l'Église,Montréal,H2X 1Y%d,514 555-%04d,shop%d@example.com,https://www.boutique%d.example,"+
				"Cherche de l'aide pour ses réseaux sociaux à la rentrée\n", k, k, k%10, k%10_000, k, k)
		}
		m.at++
	}
	n := copy(p, m.buf)
	m.buf = m.buf[n:]
	return n, nil
}

// BenchmarkImport takes a file in, end to end: upload, look, leads, jobs. IMPORT_ROWS says how many rows; default 20,000.
func BenchmarkImport(b *testing.B) {
	rows, err := strconv.Atoi(os.Getenv("IMPORT_ROWS"))
	if err != nil {
		rows = 20_000
	}
	for b.Loop() {
		b.StopTimer()
		s := testenv.Store(b)
		ws := testenv.Workspace(b, s)
		im := tasks.Importer{Store: s, Queue: tasks.NewQueue(s, nil), Cache: forgetful{}}
		peak := watchHeap(b)
		b.StartTimer()
		began := time.Now()
		pre, err := im.Upload(b.Context(), ws.ID, "many.csv", "", &townShops{manyShops{n: rows}}, tasks.ImportStated{})
		if err != nil {
			b.Fatal(err)
		}
		looked := time.Since(began)
		for i := pre.Import; i.State != store.ImportDone; {
			if i, err = im.Run(b.Context(), ws.ID, i.ID, tasks.ImportRun{AcceptDoubts: true}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows)/looked.Seconds(), "rows/s-looked-at")
		b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
		b.ReportMetric(float64(peak())/(1<<20), "MiB-peak-heap")
		b.ReportMetric(peakResident(b), "MiB-peak-resident")
	}
}

// peakResident is the most memory that this process has had from the system, in MiB; 0 where that cannot be told.
func peakResident(b *testing.B) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// watchHeap looks at the heap until it is asked for the largest size that it saw.
func watchHeap(b *testing.B) (peak func() uint64) {
	b.Helper()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-stop:
				done <- most
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
