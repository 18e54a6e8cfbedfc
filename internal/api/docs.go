package api

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"net/http"
	"strings"
)

// The pages that show the API: Swagger UI (Apache-2.0; licence beside it), served from this binary so that no page of
// ours asks anything of anybody else.
//
//go:embed assets
var assets embed.FS

const docsPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>AstroGrowth API</title><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>`

const docsStart = `SwaggerUIBundle({url:"/openapi.json",dom_id:"#swagger-ui",deepLinking:true,tryItOutEnabled:true,validatorUrl:null});`

func (a *api) docs(mux *http.ServeMux) {
	page := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
			_, _ = w.Write([]byte(body)) // the caller may have left
		}
	}
	mux.HandleFunc("GET /docs", page("text/html; charset=utf-8", docsPage))
	mux.HandleFunc("GET /docs/start.js", page("text/javascript", docsStart))
	mux.HandleFunc("GET /docs/swagger-ui.css", compressed("swagger-ui.css.gz", "text/css"))
	mux.HandleFunc("GET /docs/swagger-ui-bundle.js", compressed("swagger-ui-bundle.js.gz", "text/javascript"))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/docs", http.StatusFound) })
}

// compressed serves an asset that lies gzipped in the binary, unpacked to who does not say that they take gzip.
func compressed(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := assets.ReadFile("assets/" + name)
		if err != nil {
			writeProblem(w, newProblem(http.StatusInternalServerError, "a fault of ours"))
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "public, max-age=86400")
		w.Header().Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b) // the caller may have left
			return
		}
		plain, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			_, _ = io.Copy(w, plain) //nolint:gosec // G110: it is our own file
		}
	}
}
