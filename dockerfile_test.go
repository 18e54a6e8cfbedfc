package growth_test

import (
	"os"
	"strings"
	"testing"
)

func TestImageHoldsOnlyStaticProgramsAndNoRoot(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(string(text), "\nFROM ")
	if last < 0 {
		t.Fatal("only one stage")
	}
	build, image := string(text[:last]), string(text[last:])
	if !strings.Contains(build, "CGO_ENABLED=0 go build") {
		t.Error("the programs are not built to be static")
	}
	if !strings.HasPrefix(image, "\nFROM scratch\n") || strings.Contains(image, "\nRUN ") {
		t.Error("the image holds more than the programs")
	}
	if !strings.Contains(image, "\nUSER 65532:65532\n") {
		t.Error("the image runs as root")
	}
}
