package linkedin

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

func gifOf(t *testing.T, frames int) []byte {
	t.Helper()
	var b bytes.Buffer
	g := &gif.GIF{}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 1)
	}
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFramesOfAGIF(t *testing.T) {
	t.Parallel()
	for frames, fine := range map[int]bool{1: true, 2: true, maxFrames: true, maxFrames + 1: false} {
		p, err := Inspect(gifOf(t, frames))
		if (err == nil) != fine || fine && p != (Picture{"image/gif", 3, 2, frames}) {
			t.Errorf("%d frames: %+v, %v", frames, p, err)
		}
	}
	whole := gifOf(t, 3)
	for n := range whole {
		if p, err := Inspect(whole[:n]); err == nil {
			t.Errorf("cut at %d of %d: %+v", n, len(whole), p)
		}
	}
}

// FuzzInspect holds the look at a picture against any bytes: it neither panics nor runs on.
func FuzzInspect(f *testing.F) {
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := Inspect(data); err == nil && (p.Frames < 1 || p.Width < 1 || int64(p.Width)*int64(p.Height) >= maxPixels) {
			t.Errorf("%+v was let through", p)
		}
	})
}

// The account's token goes to LinkedIn and to the configured host, wherever an answer points.
func TestTokenIsShownToLinkedInOnly(t *testing.T) {
	t.Parallel()
	c := New(Settings{APIURL: "http://sim:3003/linkedin"})
	for address, want := range map[string]bool{
		"https://www.linkedin.com/dms-uploads/x":  true,
		"https://api.linkedin.com/x":              true,
		"https://linkedin.com/x":                  true,
		"http://sim:3003/linkedin/dms-uploads/x":  true,
		"http://www.linkedin.com/x":               false,
		"https://linkedin.com.evil.example/x":     false,
		"https://evillinkedin.com/x":              false,
		"https://www.linkedin.com@evil.example/x": false,
		"http://sim:3004/x":                       false,
		"https://sim:3003/x":                      false,
		"//www.linkedin.com/x":                    false,
	} {
		if got := c.mayUpload(address); got != want {
			t.Errorf("mayUpload(%q) = %t", address, got)
		}
	}
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the stranger was asked") }))
	t.Cleanup(stranger.Close)
	s := serveWire(t, answerWith(status(200, `{"value":{"uploadUrl":"`+stranger.URL+`/x","image":"urn:li:image:1"}}`)))
	_, err := New(Settings{APIURL: s.url}).UploadImage(t.Context(), testToken, "urn:li:person:1", "", []byte("x"))
	if growth.CodeOf(err) != growth.Malformed {
		t.Errorf("upload to a stranger: %v", err)
	}
}

func TestWriteConflictIsOneOnItsOwnWordOnly(t *testing.T) {
	t.Parallel()
	s := serveWire(t, answerWith(status(409, `{"code":"CONFLICT"}`)))
	if _, got, _ := publish(t, s); got.Code != growth.Unavailable || got.Verdict != NotCreated {
		t.Errorf("outcome = %+v", got)
	}
}

func TestVersionWarning(t *testing.T) {
	t.Parallel()
	today := dateOf(2026, 11, 26)
	for version, says := range map[string]string{
		DefaultVersion: "", "202607": "", "202511": "stopped working on 2026-11-16", "202601": "in 50 days", "202602": "",
		"202612": "", "next": "no year and month", "202508": "judged by earlier versions",
	} {
		if got := VersionWarning(version, today); !strings.Contains(got, says) || (got == "") != (says == "") {
			t.Errorf("%s: %q; want %q", version, got, says)
		}
	}
	at, announced := Sunset("202601")
	if VersionWarning("202601", at.Add(-60*24*time.Hour-time.Second)) != "" || VersionWarning("202601", at.Add(-60*24*time.Hour)) == "" || !announced {
		t.Error("the warning begins 60 days ahead, and neither sooner nor later")
	}
}
