package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

const listLimit = 50

// jobStates is every state in the order of a job's life.
var jobStates = []growth.JobState{
	growth.JobScheduled, growth.JobQueued, growth.JobRunning, growth.JobRetrying, growth.JobWaiting,
	growth.JobSucceeded, growth.JobFailed, growth.JobCanceled,
}

var jobTypes = []growth.JobType{
	growth.JobLeadQualification, growth.JobContentGeneration, growth.JobLinkedInPublish, growth.JobCallback, growth.JobMaintenance, growth.JobLeadAgreement,
}

// JobLine is a job in a list.
type JobLine struct {
	ID        growth.JobID     `json:"id"`
	Type      growth.JobType   `json:"type"`
	State     growth.JobState  `json:"state"`
	Waiting   *growth.Waiting  `json:"waiting"`
	Error     *growth.JobError `json:"error"`
	Attempts  int              `json:"attempts"`
	Cost      growth.Money     `json:"cost"`
	Simulated bool             `json:"simulated"`
	CreatedAt time.Time        `json:"created_at"`
	Gist      Gist             `json:"gist"`
}

// Short is the end of the job's id: its beginning is the time, which jobs of one moment share.
func (l JobLine) Short() string { return short(string(l.ID)) }

func short(id string) string { return id[max(len(id)-8, 0):] }

// Gist is what a job's result comes to.
type Gist struct {
	Score *int   `json:"score,omitempty"`
	Grade string `json:"grade,omitempty"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url,omitempty"`
}

// gistOf reads the few members of a result that a list shows. Results of every type pass here, so what is not there,
// or is of another kind, is simply left out.
func gistOf(result json.RawMessage) Gist {
	var all map[string]json.RawMessage
	if json.Unmarshal(result, &all) != nil {
		return Gist{}
	}
	var g Gist
	read(all["score"], &g.Score)
	read(all["grade"], &g.Grade)
	read(all["url"], &g.URL)
	var variants []struct {
		Title string `json:"title"`
	}
	read(all["variants"], &variants)
	if len(variants) > 0 {
		g.Title = variants[0].Title
	}
	return g
}

// read sets v when b holds what fits it, and leaves it as it is otherwise.
func read[T any](b json.RawMessage, v *T) {
	var got T
	if len(b) > 0 && json.Unmarshal(b, &got) == nil {
		*v = got
	}
}

// jobLines lists jobs with their costs.
func (d *Dashboard) jobLines(ctx context.Context, sc store.Scoped, f store.JobFilter, p store.Page) ([]JobLine, error) {
	jobs, err := sc.Jobs(ctx, f, p)
	if err != nil {
		return nil, err
	}
	ids := make([]growth.JobID, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	costs, err := sc.CostOfJobs(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]JobLine, len(jobs))
	for i, j := range jobs {
		out[i] = JobLine{
			ID: j.ID, Type: j.Type, State: j.State, Waiting: j.Waiting, Error: j.Error, Attempts: j.Attempts, Cost: costs[j.ID],
			Simulated: j.Simulated, CreatedAt: j.CreatedAt, Gist: gistOf(j.Result),
		}
	}
	return out, nil
}

// jobsPage is the list of jobs.
type jobsPage struct {
	Jobs   []JobLine
	Filter store.JobFilter
	Types  []growth.JobType
	States []growth.JobState
	Next   growth.JobID // cursor of the next page; empty: this is the last
	First  bool
}

func (d *Dashboard) listJobs(w http.ResponseWriter, r *http.Request, v *visitor) error {
	q := r.URL.Query()
	f := store.JobFilter{Type: growth.JobType(q.Get("type")), State: growth.JobState(q.Get("state")), Query: strings.TrimSpace(q.Get("q"))}
	if f.Type != "" && !slices.Contains(jobTypes, f.Type) {
		return growth.InvalidField("dashboard.listJobs", "type", "there are no jobs of that type")
	}
	if f.State != "" && !slices.Contains(jobStates, f.State) {
		return growth.InvalidField("dashboard.listJobs", "state", "there is no such state")
	}
	cursor, err := cursorOf(q.Get("cursor"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	jobs, err := d.jobLines(ctx, d.scoped(v), f, store.Page{Limit: listLimit, Cursor: cursor})
	if err != nil {
		return err
	}
	data := jobsPage{Jobs: jobs, Filter: f, Types: jobTypes, States: jobStates, First: cursor == ""}
	if len(jobs) == listLimit {
		data.Next = jobs[len(jobs)-1].ID
	}
	p := d.newPage(w, r, v, "jobs", "jobs.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

// cursorOf checks a cursor, which is the id of the last line of the page before.
func cursorOf(s string) (string, error) {
	if s != "" && !growth.ValidID(s) {
		return "", growth.InvalidField("dashboard", "cursor", "the page's address is not complete; go back to the list's beginning")
	}
	return s, nil
}

// jobPage is one job with everything that happened to it.
type jobPage struct {
	Job    growth.Job
	Steps  []store.StepDone
	Result string
	Lead   growth.LeadID
	Gist   Gist
}

func (d *Dashboard) showJob(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id := r.PathValue("id")
	if !growth.ValidID(id) {
		return growth.Errorf(growth.NotFound, "dashboard.showJob", "there is no such job")
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	sc := d.scoped(v)
	job, err := sc.Job(ctx, growth.JobID(id))
	if err != nil {
		return err
	}
	steps, err := sc.StepsOfJob(ctx, job.ID)
	if err != nil {
		return err
	}
	data := jobPage{Job: job, Steps: steps, Result: indented(job.Result), Gist: gistOf(job.Result)}
	var about struct {
		LeadID growth.LeadID `json:"lead_id"`
	}
	if json.Unmarshal(job.Result, &about) == nil && growth.ValidID(string(about.LeadID)) {
		data.Lead = about.LeadID
	}
	p := d.newPage(w, r, v, "job", "job.title")
	p.Simulated = p.Simulated || job.Simulated
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

func indented(b json.RawMessage) string {
	if len(b) == 0 || string(b) == "null" {
		return ""
	}
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return out.String()
}
