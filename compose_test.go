package growth_test

import (
	"context"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/zakibelm/astrogrowth/internal/config"
)

var composeSecrets = compose.Mapping{
	"POSTGRES_PASSWORD": "c0ffee", "ADMIN_API_KEY": "an-admin-key-of-a-test",
	"ENCRYPTION_KEY": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ/wECAwQFBgc=",
}

func composed(ctx context.Context, env compose.Mapping, profiles ...string) (*compose.Project, error) {
	text, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(ctx, compose.ConfigDetails{
		WorkingDir: ".", Environment: maps.Clone(env), // the loader adds to it
		ConfigFiles: []compose.ConfigFile{{Filename: "docker-compose.yml", Content: text}},
	}, loader.WithProfiles(profiles), func(o *loader.Options) {
		o.SkipResolveEnvironment = true // a developer's own .env is not what is tested
	})
}

func mustCompose(t *testing.T, profiles ...string) *compose.Project {
	t.Helper()
	project, err := composed(t.Context(), composeSecrets, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeProfiles(t *testing.T) {
	t.Parallel()
	always := []string{"enqueuer", "migrate", "monitor", "postgres", "redis", "worker"}
	for _, tc := range []struct {
		name     string
		profiles []string
		want     []string
	}{
		{"none", nil, nil},
		{"simulator", []string{"simulator"}, []string{"simulator"}},
		{"ollama", []string{"ollama"}, []string{"ollama", "ollama-models"}},
		{"n8n", []string{"n8n"}, []string{"n8n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := slices.Sorted(slices.Values(append(slices.Clone(always), tc.want...)))
			got := mustCompose(t, tc.profiles...).ServiceNames()
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComposeServicesAreBoundedAndWatched(t *testing.T) {
	t.Parallel()
	ends := []string{"migrate", "ollama-models"} // they do one thing, and have no health
	for name, s := range mustCompose(t, "*").Services {
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.NanoCPUs <= 0 || s.Deploy.Resources.Limits.MemoryBytes <= 0 {
			t.Errorf("%s has no limit of processor and memory", name)
		}
		if !slices.Contains(ends, name) && (s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 || s.HealthCheck.Disable) {
			t.Errorf("%s has no health check", name)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" {
			t.Errorf("%s may fill the disk with its log", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to the network on port %s", name, port.Published)
			}
		}
	}
}

func TestComposeProgramsAreConfiguredRightAndUnprivileged(t *testing.T) {
	t.Parallel()
	project := mustCompose(t, "*")
	ports := map[string]string{"enqueuer": "3000", "monitor": "3001", "worker": "3002", "simulator": "3003"}
	for _, name := range []string{"migrate", "enqueuer", "worker", "monitor", "simulator"} {
		s := project.Services[name]
		environ := map[string]string{}
		for key, value := range s.Environment {
			if value != nil {
				environ[key] = *value
			}
		}
		c, err := config.Load(environ, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.Embedded() || c.EmbeddedRedis() || !c.KeysRequired() || !c.Production() {
			t.Errorf("%s would run with servers of its own, without keys, or not for production", name)
		}
		requireProgram(t, s.Command[0])
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s may write its root file system or keeps capabilities", name)
		}
		if port := ports[name]; port != "" && !strings.Contains(s.HealthCheck.Test[len(s.HealthCheck.Test)-1], ":"+port+"/readyz") {
			t.Errorf("%s: health is asked of %v, want port %s", name, s.HealthCheck.Test, port)
		}
	}
}

func TestComposeStoresKeepWhatTheyHold(t *testing.T) {
	t.Parallel()
	project := mustCompose(t)
	redis := strings.Join(project.Services["redis"].Command, " ")
	for _, part := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
		if !strings.Contains(redis, part) {
			t.Errorf("redis runs %q, want %s", redis, part)
		}
	}
	for name, volume := range map[string]string{"redis": "redis-data", "postgres": "postgres-data"} {
		s := project.Services[name]
		if len(s.Volumes) != 1 || s.Volumes[0].Type != compose.VolumeTypeVolume || s.Volumes[0].Source != volume {
			t.Errorf("%s keeps its data in %+v, want the volume %s", name, s.Volumes, volume)
		}
	}
	for _, name := range []string{"enqueuer", "worker", "monitor"} {
		needs := project.Services[name].DependsOn
		if needs["migrate"].Condition != compose.ServiceConditionCompletedSuccessfully || needs["redis"].Condition != compose.ServiceConditionHealthy {
			t.Errorf("%s starts after %+v, want migrate to have ended and redis to be healthy", name, needs)
		}
	}
}

func TestComposeRefusesMissingSecrets(t *testing.T) {
	t.Parallel()
	for secret := range composeSecrets {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(composeSecrets)
			delete(env, secret)
			_, err := composed(t.Context(), env)
			if err == nil || !strings.Contains(err.Error(), secret) {
				t.Errorf("err = %v, want one that names %s", err, secret)
			}
		})
	}
}

func TestComposeFetchesTheModelsOfTheRoutes(t *testing.T) {
	t.Parallel()
	command := strings.Join(mustCompose(t, "ollama").Services["ollama-models"].Command, " ")
	for _, model := range []string{"llama3.2:3b", "phi3:mini", "nomic-embed-text"} {
		if !strings.Contains(command, model) {
			t.Errorf("%q does not fetch %s", command, model)
		}
	}
}

// The workflows lie where the guide imports them from, and callbacks to n8n are allowed by the name that it gives itself.
func TestComposeN8nSeesTheWorkflowsAndIsCalledBack(t *testing.T) {
	t.Parallel()
	project := mustCompose(t, "n8n")
	n8n := project.Services["n8n"]
	mounted := slices.ContainsFunc(n8n.Volumes, func(v compose.ServiceVolumeConfig) bool {
		return v.Type == compose.VolumeTypeBind && filepath.Base(v.Source) == "n8n-workflows" && v.Target == "/workflows" && v.ReadOnly
	})
	if !mounted {
		t.Errorf("n8n mounts %+v, want n8n-workflows at /workflows, read only", n8n.Volumes)
	}
	hook, err := url.Parse(*n8n.Environment["WEBHOOK_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"enqueuer", "worker"} {
		if allowed := *project.Services[name].Environment["CALLBACK_ALLOW_HOSTS"]; allowed != hook.Hostname() {
			t.Errorf("%s may call back %q, and n8n calls itself %s", name, allowed, hook.Hostname())
		}
	}
}
