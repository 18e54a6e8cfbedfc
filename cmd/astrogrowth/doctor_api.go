package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// What is worth a word.
const (
	expiresSoon = 14 * 24 * time.Hour // an account's access, as the first notice to its owner
	deadDetail  = "posts that are due wait until it is connected again"
)

// knownAPI is an API that is ready and takes our key.
type knownAPI struct {
	*client
	who me
}

// api asks whether the API can work, and whether it knows the key that the commands here would send. Without both there is
// nothing more to ask it.
func (d doctor) api(ctx context.Context, s surroundings, f *apiFlags) ([]finding, *knownAPI) {
	c, err := f.client(s)
	if err != nil {
		return []finding{failing("api", explain(err), "set APP_URL or --url to the address of the API, as http://localhost:3000")}, nil
	}
	c.http.Timeout = checkTimeout
	status, body := d.ask(ctx, c.base+"/readyz")
	var ready daemon.Readiness
	switch {
	case status == 0:
		return []finding{failing("api", "no answer from "+c.base, "start it with 'astrogrowth up', or set APP_URL")}, nil
	case json.Unmarshal(body, &ready) != nil || ready.Program == "":
		return []finding{failing("api", fmt.Sprintf("%s answers %d, but not as AstroGrowth does", c.base, status), "set APP_URL to the API's address")}, nil
	case status != http.StatusOK:
		return []finding{failing("api", fmt.Sprintf("%s is %s: %s", c.base, ready.Status, unready(ready)), "mend what is named, above or in its log")}, nil
	}
	out := []finding{found("api", fmt.Sprintf("%s is ready (%s %s)", c.base, ready.Program, ready.Version))}
	who, err := c.me(ctx)
	if err != nil {
		return append(out, failing("key", explain(err), "set ASTROGROWTH_API_KEY to a key of this API, or ADMIN_API_KEY to the one that the programs have")), nil
	}
	out = append(out, found("key", fmt.Sprintf("accepted in the workspace %q (%s)", who.Workspace, strings.Join(who.Scopes, ", "))))
	if who.Simulated != d.cfg.SimulatorWanted() {
		out = append(out, doubtful("api", "was started with another configuration: it "+uses(who.Simulated)+" the simulator, and the configuration here "+uses(!who.Simulated)+" it",
			"start the programs again, in the directory and with the environment of this configuration"))
	}
	return out, &knownAPI{client: c, who: who}
}

func uses(simulator bool) string {
	if simulator {
		return "uses"
	}
	return "does not use"
}

// breakers says which circuit breakers are open, and gives their names.
func (d doctor) breakers(ctx context.Context, api *knownAPI) ([]finding, map[string]bool) {
	var states map[string]struct {
		State string     `json:"state"`
		Next  *time.Time `json:"next_attempt_time"`
	}
	if err := api.get(ctx, "/v1/analytics/breakers", &states); err != nil {
		return []finding{doubtful("breakers", "could not be read: "+explain(err), "give the doctor a key with the scope read")}, nil
	}
	open := map[string]bool{}
	var out []finding
	for _, name := range slices.Sorted(maps.Keys(states)) {
		b := states[name]
		if b.State != "OPEN" {
			continue
		}
		open[name] = true
		until := "it is tried again by itself"
		if b.Next != nil {
			until = "it is tried again at " + b.Next.UTC().Format(time.TimeOnly) + " UTC"
		}
		out = append(out, doubtful("breaker "+name, "open after too many failures in a row: it is passed over; "+until,
			"'astrogrowth jobs show ID' of a job, or the page of models in the dashboard, says why its calls failed"))
	}
	if len(out) == 0 {
		out = append(out, found("breakers", "none is open"))
	}
	return out, open
}

// accounts says which LinkedIn accounts cannot post, or soon cannot.
func (d doctor) accounts(ctx context.Context, api *knownAPI) []finding {
	var list struct {
		Data []accountHealth `json:"data"`
	}
	if err := api.get(ctx, "/v1/linkedin/accounts", &list); err != nil {
		return []finding{doubtful("linkedin accounts", "could not be read: "+explain(err), "give the doctor a key with the scope read")}
	}
	// An account that was given up on purpose, of a LinkedIn that is not the one in use, is history.
	list.Data = slices.DeleteFunc(list.Data, func(a accountHealth) bool {
		return a.Status == growth.AccountDisconnected && a.Simulated != api.who.Simulated && a.PostsAtStake == 0
	})
	if len(list.Data) == 0 {
		return []finding{doubtful("linkedin accounts", "none is connected: posts wait", d.connectMend(api.who.Simulated))}
	}
	another := slices.ContainsFunc(list.Data, func(a accountHealth) bool {
		return a.Status == growth.AccountActive && a.Simulated == api.who.Simulated
	})
	out := make([]finding, 0, len(list.Data))
	for _, a := range list.Data {
		if a.Simulated != api.who.Simulated {
			out = append(out, a.misplaced(another, d.connectMend(api.who.Simulated)))
			continue
		}
		out = append(out, a.finding(time.Now()))
	}
	return out
}

// connectMend says how to connect an account.
func (d doctor) connectMend(simulated bool) string {
	const connect = "POST /v1/linkedin/connect, and open the link that it answers"
	if !simulated && d.cfg.LinkedInClientID == "" {
		return "set LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET, start the programs again, then " + connect
	}
	return connect
}

// accountHealth is an account as the API shows it.
type accountHealth struct {
	growth.Account
	EndsAt       *time.Time `json:"ends_at"`
	PostsAtStake int        `json:"posts_at_stake"`
}

func (a accountHealth) name() string { return "linkedin account " + a.Name }

func (a accountHealth) stake() string {
	if a.PostsAtStake == 0 {
		return ""
	}
	return "; " + plural(a.PostsAtStake, "post") + " at stake"
}

// misplaced is an account of the simulated LinkedIn beside the real one, or the other way round. It posts nothing; another
// one may.
func (a accountHealth) misplaced(another bool, connect string) finding {
	detail := "is simulated, and cannot post to the real LinkedIn"
	if !a.Simulated {
		detail = "is real, and cannot post to the simulated LinkedIn that is in use"
	}
	giveUp := "give this one up: POST /v1/linkedin/accounts/" + string(a.ID) + "/disconnect"
	switch {
	case another:
		return doubtful(a.name(), detail+a.stake(), giveUp)
	case !a.Simulated:
		return failing(a.name(), detail+a.stake(), "set SIMULATOR to auto or off, and the key of a provider")
	}
	return failing(a.name(), detail+a.stake(), "connect a real one: "+connect+"; then "+giveUp)
}

func (a accountHealth) finding(now time.Time) finding {
	mend := `connect it again: POST /v1/linkedin/connect with {"account_id":"` + string(a.ID) + `"}`
	switch {
	case a.Status == growth.AccountReconnect:
		return failing(a.name(), "its access has ended: "+deadDetail+a.stake(), mend)
	case a.Status != growth.AccountActive:
		return doubtful(a.name(), "given up: "+deadDetail+a.stake(), mend)
	case a.EndsAt != nil && a.EndsAt.Before(now.Add(expiresSoon)):
		return doubtful(a.name(), "its access ends on "+a.EndsAt.UTC().Format(time.DateOnly)+a.stake(), mend)
	case a.EndsAt != nil:
		return found(a.name(), "works until "+a.EndsAt.UTC().Format(time.DateOnly))
	}
	return found(a.name(), "active")
}
