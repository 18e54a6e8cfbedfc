package simulator

import (
	"time"
)

// What can befall an answer while it is being streamed.

// breaksAt says whether a stream breaks off before its piece number n.
func (x *exchange) breaksAt(n, sent, size int) bool {
	if !x.has(KindCutJSON) && !x.has(KindErrorIn200) {
		return false
	}
	if after := x.fault.Params.After; after > 0 {
		return n >= after
	}
	return sent >= size/2
}

func (x *exchange) stallsAt(n int) bool { return x.has(KindStall) && n >= x.fault.Params.After }

// tear writes the first half of a message, when the fault wants a stream to end within one.
func (x *exchange) tear(message []byte) {
	if x.has(KindCutJSON) && x.fault.Params.Hint == HintMidPiece {
		_, _ = x.w.Write(message[:len(message)/2])
		x.flush()
	}
}

func (e sse) tear(v any) { e.x.tear(append([]byte("data: "), encode(v)...)) }

// keepAliveEvery is how often a stall says that the connection is alive, unless the fault says otherwise.
const keepAliveEvery = time.Second

// stall says nothing but that the connection is alive until the client leaves or the simulator is closed.
func (x *exchange) stall() {
	x.flush()
	every := keepAliveEvery
	if ms := x.fault.Params.LatencyMS; ms > 0 {
		every = time.Duration(ms) * time.Millisecond
	}
	for x.wait(every) {
		if blank := x.blank(); blank != "" {
			_, _ = x.w.Write([]byte(blank))
			x.flush()
		}
	}
}

// blank is what keeps a connection of the provider's alive; Ollama sends nothing.
func (x *exchange) blank() string {
	switch {
	case x.row.Provider == Ollama:
		return ""
	case x.row.Stream:
		return ": OPENROUTER PROCESSING\n\n"
	}
	return "\n         \n"
}

// keepStreamAlive sends comments before the first piece, when the fault wants some.
func (x *exchange) keepStreamAlive() {
	if !x.has(KindKeepAlive) {
		return
	}
	for range keepAliveLines {
		_, _ = x.w.Write([]byte(x.blank()))
		x.flush()
		x.pause(time.Duration(x.fault.Params.LatencyMS) * time.Millisecond / keepAliveLines)
	}
}
