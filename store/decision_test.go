package store_test

import (
	"fmt"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/store"
)

func TestDecisionsAreKeptWithWhoAndWhy(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentInReview)
	_, err := b.sc.DecideContent(b.ctx, c.ID, store.Verdict{Hash: c.Hash, Reason: "too dry", By: "Ada"})
	b.must(err)
	_, err = b.sc.DecideContent(b.ctx, c.ID, store.Verdict{Approve: true, Hash: c.Hash, By: "Bea"})
	b.must(err)
	got, err := b.sc.ContentDecisions(b.ctx, c.ID, store.Page{})
	b.must(err)
	if len(got) != 2 || got[0].DecidedBy != "Bea" || got[0].Decision != growth.ContentApproved || got[1].Reason != "too dry" || got[1].Hash != c.Hash {
		t.Errorf("decisions = %+v", got)
	}
	for range 205 {
		_, err := b.sc.DecideContent(b.ctx, c.ID, store.Verdict{Reason: "again", By: "Ada"})
		b.must(err)
	}
	if n := b.count(`SELECT count(*) FROM content_decisions`); n != 200 {
		t.Errorf("%d decisions are kept; want the newest 200", n)
	}
}

func TestPersonClosesTheAuditOfTheMachinesApproval(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	audited := func(body string) growth.Content {
		d := draft(body, growth.ContentApproved)
		d.Audit = growth.AuditOpen
		c, _, err := b.sc.CreateContent(b.ctx, d, store.ByMachine)
		b.must(err)
		return c
	}
	kept, err := b.sc.ApproveContent(b.ctx, audited("a").ID, "", "Ada")
	b.must(err)
	turned, err := b.sc.RejectContent(b.ctx, audited("b").ID, "", "no")
	b.must(err)
	c := audited("c")
	c.Body = "c."
	c.Hash = content.HashOf(c)
	edited, err := b.sc.EditContent(b.ctx, c, "Ada")
	b.must(err)
	if kept.Audit != growth.AuditKept || turned.Audit != growth.AuditOverturned || edited.Audit != growth.AuditOverturned {
		t.Errorf("audits: %q, %q, %q", kept.Audit, turned.Audit, edited.Audit)
	}
	if n, err := b.sc.TrustOf(b.ctx, "", 10); err != nil || n != 1 {
		t.Errorf("trust = %d, %v; want the one that a person approved", n, err)
	}
}

func TestEditOfATextThatWasEditedMeanwhileIsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentInReview)
	first, second := c, c
	first.Body, second.Body = "Un", "Deux"
	first.Hash, second.Hash = hashOf(first), hashOf(second)
	_, err := b.sc.EditContent(b.ctx, first, "Ada")
	b.must(err)
	_, err = b.sc.EditContent(b.ctx, second, "Bea")
	wantCode(t, err, growth.Conflict)
}

func TestOneDefaultBrandAtATime(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if _, found, err := b.sc.DefaultBrand(b.ctx); found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	var ids []growth.BrandID
	for i := range 3 {
		k, err := b.sc.CreateBrand(b.ctx, growth.Brand{Name: fmt.Sprint("b", i)})
		b.must(err)
		ids = append(ids, k.ID)
	}
	def := func() growth.BrandID { k, _, err := b.sc.DefaultBrand(b.ctx); b.must(err); return k.ID }
	if def() != ids[0] {
		t.Error("the first brand is the default")
	}
	_, err := b.sc.UpdateBrand(b.ctx, ids[1], func(k *growth.Brand) error { k.Default = true; return nil })
	b.must(err)
	_, err = b.sc.UpdateBrand(b.ctx, ids[1], func(k *growth.Brand) error { k.Default = false; return nil })
	b.must(err)
	if def() != ids[1] || b.count(`SELECT count(*) FROM brands WHERE is_default`) != 1 {
		t.Error("the default was not handed over, or was given up for nobody")
	}
	wantCode(t, b.sc.DeleteBrand(b.ctx, ids[1]), growth.Conflict)
	b.must(b.sc.DeleteBrand(b.ctx, ids[0]))
	b.must(b.sc.DeleteBrand(b.ctx, ids[2]))
	b.must(b.sc.DeleteBrand(b.ctx, ids[1])) // the last one may go
}

func TestSketchesComeFromOtherWorkspacesAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	keep := func(sc store.Scoped, body string, status growth.ContentStatus) {
		d := draft(body, status)
		d.Sketch = content.SketchOf(body)
		_, _, err := sc.CreateContent(b.ctx, d, "x")
		b.must(err)
	}
	keep(b.sc, "le nôtre est ici depuis hier", growth.ContentInReview)
	n := b.neighbour()
	for i := range 3 {
		keep(n.sc, fmt.Sprintf("le leur numéro %d est là-bas", i), growth.ContentInReview)
	}
	keep(n.sc, "celui-ci fut rejeté par eux", growth.ContentRejected)
	got, err := b.sc.SketchesElsewhere(b.ctx, 2)
	b.must(err)
	if len(got) != 2 || string(got[0]) != string(content.SketchOf("le leur numéro 2 est là-bas")) {
		t.Errorf("%d sketches; want the newest two of the neighbour's", len(got))
	}
}

func TestVersionsOfAContentKeepMediaAndAccount(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.create("Bonjour", growth.ContentInReview)
	account := b.account()
	c.Media, c.AccountID = []string{growth.NewID()}, &account.ID
	c.Hash = content.HashOf(c)
	got, err := b.sc.EditContent(b.ctx, c, "Ada")
	b.must(err)
	v, err := b.sc.ContentVersion(b.ctx, c.ID, 2)
	b.must(err)
	if len(got.Media) != 1 || *got.AccountID != account.ID || len(v.Media) != 1 || *v.AccountID != account.ID || v.Hash != c.Hash || content.HashOf(got) != got.Hash {
		t.Errorf("content %+v, version %+v", got, v)
	}
}
