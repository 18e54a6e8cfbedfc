package api

import (
	"context"
	"time"

	"github.com/zakibelm/astrogrowth/router/quota"
)

// FreeTier is where the free tier of a provider stands, and when those who wait for it will have been served.
type FreeTier struct {
	Name       string    `json:"name"`
	Calls      int       `json:"calls" doc:"Allowed in a window; 0: any number"`
	WindowS    float64   `json:"window_s"`
	Daily      int       `json:"daily" doc:"Allowed in a UTC day; 0: any number"`
	MadeToday  int       `json:"made_today"`
	Ahead      int       `json:"ahead" doc:"Jobs that wait for their turn"`
	FinishedAt time.Time `json:"finished_at" doc:"When the last of them, and of the calls that more names, will have had its turn at this pace"`
}

type freeTiersInput struct {
	More int `query:"more" minimum:"0" maximum:"10000000" doc:"As if so many calls more came now"`
}

func (a *api) getFreeTiers(ctx context.Context, in *freeTiersInput) (*struct{ Body []FreeTier }, error) {
	out := []FreeTier{}
	for _, name := range a.Router.Quota().Names() {
		o, err := a.Router.Quota().Outlook(ctx, name, in.More)
		if err != nil {
			return nil, err
		}
		out = append(out, freeTier(o))
	}
	return &struct{ Body []FreeTier }{out}, nil
}

func freeTier(o quota.Outlook) FreeTier {
	return FreeTier{
		Name: o.Name, Calls: o.Calls, WindowS: o.Window.Seconds(), Daily: o.Daily, MadeToday: o.Today, Ahead: o.Ahead, FinishedAt: o.Finish.UTC(),
	}
}
