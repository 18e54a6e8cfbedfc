package lead

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestARubricIsReadOnce(t *testing.T) {
	t.Parallel()
	var m rubricMemo
	var mu sync.Mutex
	reads := 0
	parse := func(src []byte) (Rubric, error) {
		mu.Lock()
		defer mu.Unlock()
		reads++
		if string(src) == "broken" {
			return Rubric{}, errors.New("broken")
		}
		return Rubric{Name: string(src)}, nil
	}
	for range 3 {
		for _, text := range []string{"a", "b"} {
			if r, err := m.of([]byte(text), parse); err != nil || r.Name != text {
				t.Fatalf("%q is %q: %v", text, r.Name, err)
			}
		}
		if _, err := m.of([]byte("broken"), parse); err == nil {
			t.Fatal("a rubric at fault was taken")
		}
	}
	if reads != 5 {
		t.Errorf("%d readings, want one of each good text and three of the broken one", reads)
	}
	var wg sync.WaitGroup
	for n := range 3 * maxParsed {
		wg.Go(func() { _, _ = m.of(fmt.Append(nil, n), parse) })
	}
	wg.Wait()
	if len(m.known) > maxParsed {
		t.Errorf("%d are remembered, want at most %d", len(m.known), maxParsed)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(""); err != nil {
			b.Fatal(err)
		}
	}
}
