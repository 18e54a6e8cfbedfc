package lead_test

import (
	"os"
	"path/filepath"
	"testing"
)

// testFile gives the path of a file of the shared test data, or skips the test where the data is absent.
func testFile(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		tb.Skip("set ASTROGROWTH_TESTDATA to the folder of test data to run this test")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("test data: %v", err)
	}
	return path
}
