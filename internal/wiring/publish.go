package wiring

import (
	"context"
	"net/http"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// imagePause is how long LinkedIn gets to work on an image before the post that shows it.
const imagePause = 5 * time.Second

// PublishWorker makes the worker that posts to LinkedIn. accounts refreshes the tokens that it posts with.
func (b *Base) PublishWorker(accounts *tasks.Accounts) tasks.PublishWorker {
	cfg := b.Config
	w := tasks.PublishWorker{
		Store: b.Store, LinkedIn: b.LinkedIn(), Open: b.Keyring.Open, Spacing: cfg.LinkedInMinInterval.Duration(), PerDay: cfg.LinkedInMaxPosts,
		Simulated: cfg.SimulatorWanted(), Accounts: accounts, API: growth.PostAPI(cfg.LinkedInPostAPI), Windows: limit.New(b.Redis, "linkedin"),
		Fetch: b.PictureClient(), Settle: imagePause, Report: b.Report,
	}
	if cfg.SimulatorWanted() {
		w.Settle = 0
	}
	return w
}

// Aftercare makes what looks after posts once they were sent.
func (b *Base) Aftercare(wake func()) *tasks.Aftercare {
	return &tasks.Aftercare{Store: b.Store, LinkedIn: b.LinkedIn(), Open: b.Keyring.Open, Simulated: b.Config.SimulatorWanted(), Wake: wake, Log: b.Log}
}

// Unpublish takes a post off LinkedIn.
func (b *Base) Unpublish(ctx context.Context, sc store.Scoped, id growth.PublicationID) (growth.Publication, error) {
	return tasks.Unpublish(ctx, sc, b.LinkedIn(), b.Keyring.Open, b.Config.SimulatorWanted(), id)
}

// PictureClient fetches pictures from strangers' addresses. In private networks it reaches the hosts of
// CALLBACK_ALLOW_HOSTS, and this machine itself in the embedded default.
func (b *Base) PictureClient() *http.Client {
	hosts := append([]string(nil), b.Config.CallbackHosts...)
	if !b.Config.KeysRequired() {
		hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	}
	return tasks.FetchClient(hosts)
}

// WatchLinkedInVersion warns of a version that LinkedIn will soon retire, at once and then daily until ctx ends.
func (b *Base) WatchLinkedInVersion(ctx context.Context) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		if text := linkedin.VersionWarning(b.Config.LinkedInVersion, time.Now()); text != "" {
			b.Log.Warn().Str("variable", "LINKEDIN_VERSION").Msg(text)
			if err := b.Store.WarnLinkedInVersion(ctx, b.Config.LinkedInVersion, text); err != nil && ctx.Err() == nil {
				b.Log.Warn().Err(err).Msg("the end of LinkedIn's version could not be told")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
