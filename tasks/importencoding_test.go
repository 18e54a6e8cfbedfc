package tasks_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func utf16As(s string, order binary.AppendByteOrder) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// The real file brings the same businesses, letter for letter, in whatever encoding it comes.
func TestImportIsTheSameInEveryEncoding(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("set ASTROGROWTH_TESTDATA to the folder of test data to run this test")
	}
	original, err := os.ReadFile(filepath.Join(dir, "leads_montreal_restaurants.cp1252.csv"))
	if err != nil {
		t.Skip(err)
	}
	p := newPlant(t)
	text, err := charmap.Windows1252.NewDecoder().String(string(original))
	p.must(err)
	mac, err := charmap.Macintosh.NewEncoder().String(text)
	p.must(err)
	want := p.leadsOf(original, "windows-1252")
	if n := strings.Count(want, "\n"); n != 666 || !strings.Contains(want, "AU BON CAFÉ") || !strings.Contains(want, "Fermé") {
		t.Fatalf("%d businesses, want 666 with their accents", n)
	}
	for name, file := range map[string][]byte{
		"utf-8": []byte(text), "utf-8 with a mark": []byte("\ufeff" + text), "utf-16le": utf16As(text, binary.LittleEndian),
		"utf-16be": utf16As(text, binary.BigEndian), "macintosh": []byte(mac),
	} {
		encoding, _, _ := strings.Cut(name, " ")
		if got := p.leadsOf(file, encoding); got != want {
			t.Errorf("%s brings other leads", name)
		}
	}
}

// leadsOf imports a file into a workspace of its own, and gives the leads as they are kept, one to a line, and what their
// scores rest on.
func (p *plant) leadsOf(file []byte, encoding string) string {
	p.t.Helper()
	ws := testenv.Workspace(p.t, p.s)
	im := tasks.Importer{Store: p.s, Queue: p.queue, Cache: forgetful{}}
	pre, err := im.Upload(p.t.Context(), ws.ID, "montreal.csv", "", bytes.NewReader(file), tasks.ImportStated{})
	p.must(err)
	if pre.Undecided || pre.Import.Encoding != encoding || pre.Import.Counts.Rows != 1167 || pre.Import.Counts.Closed != 89 {
		p.t.Errorf("%s: taken for %q (undecided %v), counts %+v", encoding, pre.Import.Encoding, pre.Undecided, pre.Import.Counts)
	}
	i := pre.Import
	for i.State != store.ImportDone {
		i, err = im.Run(p.t.Context(), ws.ID, i.ID, tasks.ImportRun{AcceptDoubts: true})
		p.must(err)
	}
	return p.text(`SELECT string_agg((l.data - 'id')::text || ' ' || split_part(j.unique_key, ' ', 2), E'\n' ORDER BY (l.data - 'id')::text) || E'\n'
		FROM leads l LEFT JOIN jobs j ON j.lead_id = l.id WHERE l.workspace_id = $1`, ws.ID)
}
