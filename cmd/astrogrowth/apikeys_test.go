package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const keyID = "01990000-0000-7000-8000-00000000000d"

func keyJSON(rest string) string {
	return `{"id":"` + keyID + `","name":"n8n","prefix":"ag_live_abcd","scopes":["enqueue","read"],"expires_at":null,"last_used_at":"2026-11-26T01:02:03Z","created_at":"2026-11-25T00:00:00Z"` + rest + `}`
}

func TestKeysAreListedMadeRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	url := serve(t, map[string]string{
		"GET /v1/keys?limit=50":                     `{"data":[` + keyJSON("") + `],"next_cursor":null}`,
		"POST /v1/keys":                             keyJSON(`,"key":"ag_live_abcdsecret"`),
		"POST /v1/keys/" + keyID + "/rotate":        keyJSON(`,"key":"ag_live_efghsecret"`),
		"DELETE /v1/keys/" + keyID:                  ``,
		"GET /v1/keys?cursor=" + keyID + "&limit=2": `{"data":[],"next_cursor":null}`,
	})
	list := runCLI(t, nil, "keys", "list", "--url", url)
	want := "ID                                    NAME  KEY            SCOPES        EXPIRES (UTC)  LAST USE (UTC)\n" +
		keyID + "  n8n   ag_live_abcd…  enqueue,read  -              2026-11-26 01:02:03\n"
	if diff := cmp.Diff(want, list.out); diff != "" || list.code != exitDone {
		t.Errorf("code %d, list (-want +got):\n%s%s", list.code, diff, list.err)
	}
	if none := runCLI(t, nil, "keys", "list", "--url", url, "--limit", "2", "--cursor", keyID); none.out != "No keys.\n" {
		t.Errorf("none: %d %q %q", none.code, none.out, none.err)
	}
	made := runCLI(t, nil, "keys", "create", "n8n", "--scopes", "enqueue,read", "--expires", "24h", "--url", url)
	if made.code != exitDone || !strings.HasPrefix(made.out, "ag_live_abcdsecret\n") {
		t.Errorf("create: %d %q %q", made.code, made.out, made.err)
	}
	rotated := runCLI(t, nil, "keys", "rotate", keyID, "--grace", "1h", "--url", url)
	if rotated.code != exitDone || !strings.HasPrefix(rotated.out, "ag_live_efghsecret\n") || !strings.Contains(rotated.out, "1h0m0s more") {
		t.Errorf("rotate: %d %q %q", rotated.code, rotated.out, rotated.err)
	}
	if revoked := runCLI(t, nil, "keys", "revoke", keyID, "--url", url); revoked.code != exitDone || revoked.out != "revoked\n" {
		t.Errorf("revoke: %d %q %q", revoked.code, revoked.out, revoked.err)
	}
	if wrong := runCLI(t, nil, "keys", "create", "n8n", "--url", url); wrong.code != exitNothing || !strings.Contains(wrong.err, "--scopes is missing") {
		t.Errorf("without scopes: %d %q", wrong.code, wrong.err)
	}
}
