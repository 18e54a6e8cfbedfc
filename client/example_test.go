package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/client"
)

// Score a lead and wait for the result.
func ExampleClient_QualifyLead() {
	c, done := demo() // elsewhere: client.New(client.Config{URL: "http://localhost:3000", Key: "ag_live_…"})
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	job, err := c.QualifyLead(ctx, client.Qualification{
		Lead:           &growth.Lead{BusinessName: "Café du Parc", BusinessType: "café", City: "Laval", Notes: "cherche une agence"},
		IdempotencyKey: "form 4711",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err = c.Wait(ctx, job.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	score, err := client.Qualified(job)
	fmt.Println(job.State, score.Rubric, len(score.Reasons) > 0, err)
	// Output: succeeded local-business@1 true <nil>
}

// Write two variants of a post and approve the first.
func ExampleClient_WriteContent() {
	c, done := demo()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	job, err := c.WriteContent(ctx, client.ContentRequest{Topic: "Remplir sa terrasse en semaine", Audience: "restaurateurs", Language: "fr-CA", Variants: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	if job, err = c.Wait(ctx, job.ID); err != nil {
		fmt.Println(err)
		return
	}
	variants, err := client.Written(job)
	if err != nil || len(variants) == 0 {
		fmt.Println(job.State, job.Error, err)
		return
	}
	text, err := c.Content(ctx, variants[0].ContentID)
	if err != nil {
		fmt.Println(err)
		return
	}
	approval, err := c.Approve(ctx, text, "")
	fmt.Println(len(variants), approval.Status, len(approval.Held), err)
	// Output: 2 approved 0 <nil>
}

// Many jobs in one request: the good ones are accepted, the bad ones are named.
func ExampleClient_Enqueue() {
	c, done := demo()
	defer done()
	ctx := context.Background()

	var b client.Batch
	b.QualifyLead(client.Qualification{Lead: &growth.Lead{BusinessName: "Chez A", City: "Laval"}})
	b.QualifyLead(client.Qualification{Lead: &growth.Lead{BusinessName: "Chez B", City: "Laval", Email: "no address"}})
	got, err := c.Enqueue(ctx, &b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Accepted, "accepted,", got.Rejected, "rejected")
	for _, item := range got.Data {
		if item.Error != nil {
			fmt.Println(item.Index, item.Error.Errors[0].Field)
		}
	}
	// Output:
	// 1 accepted, 1 rejected
	// 1 lead.email
}

// Listen to what happens to a job, from before it was made.
func ExampleClient_Events() {
	c, done := demo()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	for e, err := range c.Events(ctx, client.EventFilter{After: "0-0", Types: []string{"job.succeeded"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Type)
		return // keep e.ID, and give it as After to go on behind this event
	}
	// This example has no output line: it waits for somebody's job.
}

// What a server refuses is a Problem that names the field.
func ExampleProblem() {
	c, done := demo()
	defer done()

	_, err := c.WriteContent(context.Background(), client.ContentRequest{Topic: "x", Variants: 9})
	if p, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(p.Status, p.Errors[0].Field)
	}
	// Output: 422 variants
}

// Walk a list to its end; pages are read as they are needed.
func ExampleClient_Leads() {
	c, done := demo()
	defer done()
	ctx := context.Background()
	for _, name := range []string{"Chez A", "Chez B"} {
		if _, err := c.QualifyLead(ctx, client.Qualification{Lead: &growth.Lead{BusinessName: name, City: "Laval"}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for l, err := range c.Leads(ctx, client.LeadFilter{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(l.Lead.BusinessName)
	}
	// Output:
	// Chez B
	// Chez A
}
