package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/router"
)

// standing is what the routes mean now, and who says so.
type standing struct {
	Source string                 `json:"source"`
	Routes []router.ResolvedRoute `json:"routes"`
	Unread []string               `json:"unread,omitempty"` // providers whose lists could not be read
}

// standingOf asks the running API, which knows more than any other process can: what the providers called gone since. When
// it does not answer, the providers' lists are read here.
func standingOf(ctx context.Context, s surroundings, f *apiFlags, cfg config.Config, routes router.Routes) standing {
	if c, err := f.client(s); err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		var list struct {
			Data []router.ResolvedRoute `json:"data"`
		}
		if c.get(ctx, "/v1/routes", &list) == nil && len(list.Data) > 0 {
			return standing{Source: "the API at " + c.base, Routes: list.Data}
		}
	}
	return readStanding(ctx, cfg, routes)
}

func readStanding(ctx context.Context, cfg config.Config, routes router.Routes) standing {
	r := router.New(router.Config{Routes: routes, Providers: wiring.Providers(cfg)})
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	unread := slices.Sorted(maps.Keys(r.LearnCatalogues(ctx)))
	return standing{Source: "the providers' lists, read now", Routes: r.Resolved(""), Unread: unread}
}

// write prints the table. Each line begins with prefix, so that it can stand as a comment behind the file.
func (s standing) write(w io.Writer, prefix string) {
	say(w, "%sWhat the families mean now, by %s:", prefix, s.Source)
	for _, name := range s.Unread {
		say(w, "%s%s: its list of models could not be read", prefix, name)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, route := range s.Routes {
		say(t, "%s", prefix)
		say(t, "%s%s (paid: %s)", prefix, route.Task, route.PaidRule)
		for i, c := range route.Candidates {
			model := c.Model
			if model == "" {
				model = "-"
			}
			say(t, "%s  %d\t%s\t%s\t%s\t%s", prefix, i+1, c.Family, c.Provider, model, reason(c))
		}
	}
	_ = t.Flush() // as for say
}

// reason is why a candidate means what it means.
func reason(c router.Resolution) string {
	var words []string
	switch c.Status {
	case "not_configured":
		return "skipped: the provider has no key or address"
	case "privacy":
		return "skipped: the privacy class forbids the provider"
	case "paid_denied":
		return "skipped: the route allows no paid model"
	case "model_gone":
		words = append(words, "skipped: none of its models is served")
	case "assumed":
		words = append(words, "assumed: the provider's list was never read")
	default:
		words = append(words, c.Status)
	}
	if c.Model != "" && c.Paid {
		words = append(words, "paid")
	}
	if c.Expires != nil {
		words = append(words, "ends on "+c.Expires.Format(time.DateOnly))
	}
	for _, m := range c.Models {
		if m.Slug == c.Model {
			break
		}
		words = append(words, passedBy(m))
	}
	return strings.Join(words, "; ")
}

func passedBy(m router.ResolvedSlug) string {
	if m.State == router.ModelGone && m.Since != nil {
		return fmt.Sprintf("%s is gone since %s", m.Slug, m.Since.Format(time.DateTime))
	}
	return m.Slug + " is not listed"
}
