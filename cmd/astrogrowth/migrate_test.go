package main

import (
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestMigrateRefusesASchemaOfANewerProgram(t *testing.T) {
	t.Parallel()
	s := testenv.Store(t)
	if _, err := testenv.SQL(t, s).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)`); err != nil {
		t.Fatal(err)
	}
	address := testenv.Address(t, s)
	if n, err := migrate(t.Context(), address); err == nil || !strings.Contains(err.Error(), "newer than this program's") {
		t.Errorf("applied %d, %v; want that it is refused", n, err)
	}
	_, found := examined(t, map[string]string{
		"DATABASE_URL": address, "SIMULATOR": "off", "PORT": portOf(t, deadAddress(t)), "MONITOR_PORT": portOf(t, deadAddress(t)), "WORKER_PORT": portOf(t, deadAddress(t)),
	})
	if f := found["postgres"]; f.Status != checkFail || strings.Contains(f.Mend, "migrate'") || !strings.Contains(f.Mend, "release") {
		t.Errorf("%+v", f)
	}
}

func TestADatabaseThatCannotBeReachedIsToldOfOnce(t *testing.T) {
	t.Parallel()
	_, err := migrate(t.Context(), "postgres://u@127.0.0.1:"+portOf(t, deadAddress(t))+"/d?sslmode=disable")
	if err == nil || strings.Count(err.Error(), "connection refused") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q", err)
	}
}
