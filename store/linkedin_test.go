package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestNoMoreCallsThanAMembersDayHas(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const perDay = 150
	var spent, refused atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 20 {
				err := b.s.SpendLinkedInCall(b.ctx, "urn:li:person:1", perDay)
				switch {
				case err == nil:
					spent.Add(1)
				case growth.CodeOf(err) == growth.Throttled && growth.RetryAfterOf(err) > 0 && growth.RetryAfterOf(err) <= 24*time.Hour:
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if spent.Load() != perDay || refused.Load() != 50 {
		t.Errorf("%d spent and %d refused; want 150 and 50", spent.Load(), refused.Load())
	}
	b.must(b.s.SpendLinkedInCall(b.ctx, "urn:li:person:2", perDay)) // another member's day
	b.exec(`UPDATE linkedin_calls SET day = day - 1`)
	b.must(b.s.SpendLinkedInCall(b.ctx, "urn:li:person:1", perDay)) // another day
	b.exec(`UPDATE linkedin_calls SET day = day - 30`)
	_, err := b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	if n := b.count(`SELECT count(*) FROM linkedin_calls`); n != 0 {
		t.Errorf("%d days are kept", n)
	}
}

// LinkedIn counts by the member whose token it is, so the pages of one member share a day.
func TestPagesOfAMemberShareItsDay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, page := range []string{"urn:li:organization:1", "urn:li:organization:2"} {
		_, err := b.sc.Connect(b.ctx, growth.Account{URN: page, Name: "Page"}, store.Grant{Member: "urn:li:person:1", Scopes: []string{"w_organization_social"}},
			func(growth.AccountID) (store.Credential, error) { return store.Credential{Token: "sealed"}, nil })
		b.must(err)
		b.must(b.s.SpendLinkedInCall(b.ctx, page, 3))
	}
	b.must(b.s.SpendLinkedInCall(b.ctx, "urn:li:person:1", 3))
	if err := b.s.SpendLinkedInCall(b.ctx, "urn:li:organization:1", 3); growth.CodeOf(err) != growth.Throttled {
		t.Errorf("the fourth of three calls: %v", err)
	}
	if n, err := b.s.LinkedInCalls(b.ctx, "urn:li:organization:2"); err != nil || n != 3 {
		t.Errorf("%d calls, %v; want 3", n, err)
	}
}

// A hundred posts a day and a quarter of an hour between two, to the second.
func TestHundredPostsADay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a := b.account()
	for i := range 100 { // the oldest 24 h less a minute ago
		p := b.prepare(a, fmt.Sprint("earlier ", i), nil, false)
		b.exec(`UPDATE publications SET state = 'published', sent_at = now() - interval '23 hours 59 minutes' + $2 * interval '14 minutes' WHERE id = $1`, p.p.ID, i)
	}
	p := b.prepare(a, "Bonjour", nil, false)
	claim := func(perDay int) time.Duration {
		t.Helper()
		_, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, perDay, asItIs)
		wantCode(t, err, growth.Throttled)
		return growth.RetryAfterOf(err)
	}
	if d := claim(100); d > time.Minute || d < 30*time.Second {
		t.Errorf("wait = %v; want until the first has left", d)
	}
	if d := claim(99); d > 15*time.Minute || d < 14*time.Minute {
		t.Errorf("wait under a lower limit = %v; want until two have left", d)
	}
	b.exec(`UPDATE publications SET state = 'rejected' WHERE sent_at = (SELECT max(sent_at) FROM publications)`)
	_, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, 100, asItIs)
	b.must(err) // what LinkedIn refused was no post
}

func TestContentIsLockedFromItsVerificationToItsClaim(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentApproved)
	p := b.prepare(b.account(), c.Body, &c, false)
	edited := make(chan error, 1)
	_, err := b.s.ClaimPublication(b.ctx, p.c.Job, p.c.Fence, noSpacing, manyADay, func(growth.Post, *growth.Content) error {
		go func() {
			c := c
			c.Body = "Bonsoir"
			c.Hash = hashOf(c)
			_, err := b.sc.EditContent(context.WithoutCancel(b.ctx), c, "editor")
			edited <- err
		}()
		for b.count(`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE contents SET title%' AND datname = current_database()`) == 0 {
			if err := b.ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	b.must(err)
	wantCode(t, <-edited, growth.Conflict) // it comes too late: the text is being published
}

func TestMediaHasABoundAndARetention(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	put := func(data string) growth.Media {
		t.Helper()
		m, err := b.sc.PutMedia(b.ctx, growth.Media{Type: "image/png", Width: 1, Height: 1, Frames: 1}, []byte(data))
		b.must(err)
		return m
	}
	m, used := put("one"), put("two")
	b.exec(`UPDATE jobs SET input = jsonb_build_object('text', 'x', 'images', jsonb_build_array($2::text)) WHERE id = $1`, b.publishJob(""), used.ID)
	wantCode(t, b.sc.DeleteMedia(b.ctx, used.ID), growth.Conflict)
	b.exec(`UPDATE media SET used_at = now() - interval '91 days'`)
	_, err := b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	_, err = b.sc.Media(b.ctx, m.ID)
	wantCode(t, err, growth.NotFound)
	_, err = b.sc.Media(b.ctx, used.ID)
	b.must(err)
	store.SetMaxMedia(b.s, int64(len("two")+len("3")))
	put("3")
	_, err = b.sc.PutMedia(b.ctx, growth.Media{Type: "image/png", Width: 1, Height: 1, Frames: 1}, []byte("4"))
	wantCode(t, err, growth.Conflict)
	put("two") // what is there already takes no room
}

func TestPostsAtStakeAreThoseOfTheirContentsAndTimesToo(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	a, other := b.account(), b.account()
	c := b.create("Bonjour", growth.ContentApproved)
	b.exec(`UPDATE contents SET account_id = $1`, a.ID)
	at := time.Now().Add(48 * time.Hour)
	b.accept(func(j *store.NewJob) {
		j.Type, j.Input, j.Options.RunAt = growth.JobLinkedInPublish, []byte(`{"content_id":"`+string(c.ID)+`"}`), &at
	})
	b.plannedPost(a.ID)
	for id, want := range map[growth.AccountID]int{a.ID: 2, other.ID: 0} {
		if _, n, err := b.sc.PostsAtStake(b.ctx, id, time.Now(), 10); err != nil || n != want {
			t.Errorf("%d posts at stake, %v; want %d", n, err, want)
		}
	}
}
