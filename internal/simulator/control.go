package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// routesControl mounts what belongs to nobody's wire format. It is guarded against pages of other origins, so that no
// web site that a developer happens to open can change a running simulator.
func (s *Server) routesControl() {
	own := http.NewServeMux()
	own.HandleFunc("GET /_control/faults", s.getFaults)
	own.HandleFunc("PUT /_control/faults", s.putFaults)
	own.HandleFunc("DELETE /_control/faults", s.deleteFaults)
	own.HandleFunc("GET /_control/posts", s.getPosts)
	own.HandleFunc("GET /_control/bodies", s.getBodies)
	own.HandleFunc("PUT /_control/bodies", s.putBodies)
	own.HandleFunc("GET /_control/free_tier", s.getFreeTier)
	own.HandleFunc("PUT /_control/free_tier", s.putFreeTier)
	s.routesOAuthControl(own)
	own.HandleFunc("POST /_control/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	own.HandleFunc("GET /_control/book", s.getBook)
	own.HandleFunc("GET /_book", s.getBook)
	guarded := http.NewCrossOriginProtection().Handler(own)
	s.mux.Handle("/_control/", guarded)
	s.mux.Handle("/_book", guarded)
}

func reply200(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(encode(v))
}

func reply400(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(encode(map[string]any{"error": err.Error()}))
}

// decodeStrict reads a body of our own making; a misspelt key would otherwise do nothing in silence.
func decodeStrict(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	reply200(w, map[string]any{"faults": s.faults.list()})
}

// putFaults takes one fault or a list of them; all of a list are checked before the first is set.
func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if err := decodeStrict(w, r, &raw); err != nil {
		reply400(w, err)
		return
	}
	faults, err := readFaults(raw)
	if err != nil {
		reply400(w, err)
		return
	}
	for _, f := range faults {
		if _, err := s.faults.set(f); err != nil {
			reply400(w, err)
			return
		}
	}
	s.getFaults(w, r)
}

func readFaults(raw json.RawMessage) ([]Fault, error) {
	faults := make([]Fault, 1)
	into := any(&faults[0])
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		into = &faults
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return nil, err
	}
	for _, f := range faults {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	return faults, nil
}

func (s *Server) deleteFaults(w http.ResponseWriter, r *http.Request) {
	s.faults.clear(r.URL.Query().Get("provider"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getPosts(w http.ResponseWriter, _ *http.Request) {
	reply200(w, map[string]any{"posts": s.feed.list()})
}

func (s *Server) getBodies(w http.ResponseWriter, _ *http.Request) {
	reply200(w, map[string]any{"bodies": s.book.keptBodies()})
}

const maxKeptBodies = 10_000

func (s *Server) putBodies(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Keep int `json:"keep"`
	}
	if err := decodeStrict(w, r, &in); err != nil {
		reply400(w, err)
		return
	}
	s.book.keepBodies(min(max(in.Keep, 0), maxKeptBodies))
	w.WriteHeader(http.StatusNoContent)
}

const bookPage = 1000

func (s *Server) getBook(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := filter{provider: q.Get("provider"), limit: bookPage}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		f.limit = n
	}
	if n, err := strconv.ParseInt(q.Get("after"), 10, 64); err == nil {
		f.after = n
	}
	reply200(w, map[string]any{"totals": s.book.totals(), "entries": s.book.list(f)})
}

// notThere answers a path that the provider does not have.
func (s *Server) notThere(provider string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
		p := problem{status: http.StatusNotFound, message: "Not Found"}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(p.status)
		_, _ = w.Write(encode(p.body(provider)))
	}
}
