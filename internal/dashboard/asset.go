package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assetFS embed.FS

// file is something that pages load: compressed once, and named by what it holds so that browsers may keep it.
type file struct {
	plain, packed []byte
	kind          string
	version       string
}

type files map[string]file

func loadFiles() (files, error) {
	entries, err := assetFS.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	out := files{}
	for _, e := range entries {
		b, err := assetFS.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(b)
		f := file{plain: b, kind: mime.TypeByExtension(path.Ext(e.Name())), version: hex.EncodeToString(sum[:6])}
		if f.kind == "" {
			f.kind = "text/plain; charset=utf-8"
		}
		if f.packed, err = pack(b); err != nil {
			return nil, err
		}
		out[e.Name()] = f
	}
	return out, nil
}

func pack(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("pack asset: %w", err)
	}
	if _, err := z.Write(b); err != nil {
		return nil, fmt.Errorf("pack asset: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack asset: %w", err)
	}
	return buf.Bytes(), nil
}

// url is the address under which a page loads a file.
func (fs files) url(name string) string { return "/assets/" + name + "?v=" + fs[name].version }

func (fs files) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := fs[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the browser may have left
}
