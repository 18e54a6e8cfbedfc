package providers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestNoFormatPrintsTheKey(t *testing.T) {
	t.Parallel()
	s := Settings{BaseURL: "http://x", Key: testKey}
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(asJSON)
	for _, v := range []any{
		s, &s,
		CompatibleConfig{Settings: s},
		NewOpenRouter(s), *NewHuggingFace(s).Compatible, *NewOllama(s),
		*NewOpenRouter(s).wire, // what a debugger's dump of the innards would show
	} {
		printed += fmt.Sprintf("%v %+v %#v %s\n", v, v, v, v)
	}
	if strings.Contains(printed, testKey) {
		t.Errorf("the key is in:\n%s", printed)
	}
}

func TestTheCallersClientIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	own := &http.Client{}
	NewOpenRouter(Settings{HTTP: own})
	if own.CheckRedirect != nil || own.Transport != nil {
		t.Error("the caller's client was changed")
	}
}

func TestAnUnsendableRequestIDIsLeftOut(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"req-1": true, "": false, "a\r\nX: y": false, "é": false, strings.Repeat("x", 129): false} {
		if got := sendable(id); got != want {
			t.Errorf("sendable(%q) = %t", id, got)
		}
	}
}
