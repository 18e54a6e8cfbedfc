package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/content"
)

// keeps stores a text in review.
func (f *face) keeps(body string, change ...func(*growth.Content)) growth.Content {
	f.t.Helper()
	c := growth.Content{
		ID: growth.ContentID(growth.NewID()), Variant: 1, Version: 1, Body: body, Hashtags: []string{"#a", "#b", "#c"}, Language: "fr-CA",
		Status: growth.ContentInReview, Checks: []growth.Check{},
	}
	for _, g := range change {
		g(&c)
	}
	c.Hash = content.HashOf(c)
	c, _, err := f.s.In(f.ws.ID).CreateContent(f.t.Context(), c, "test")
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// wants checks the status of an answer and gives its body.
func (f *face) wants(status int, a answer) map[string]any {
	f.t.Helper()
	if a.status != status {
		f.t.Fatalf("%d %s; want %d", a.status, a.body, status)
	}
	if len(a.body) == 0 {
		return nil
	}
	return a.json(f.t)
}

// object is a JSON object, nil when v is none.
func object(v any) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return m
}

// rowsOf are the objects of a list.
func rowsOf(body map[string]any) []map[string]any {
	list, ok := body["data"].([]any)
	if !ok {
		return nil
	}
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, object(v))
	}
	return out
}

func TestApprovalNeedsTheTextThatWasRead(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps("Bonjour à tous.")
	path := "/v1/contents/" + string(c.ID)
	read := f.call(http.MethodGet, path, "")
	etag := read.header.Get("ETag")
	if etag != `"`+c.Hash+`"` {
		t.Fatalf("ETag = %q", etag)
	}
	if p := f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPost, path+"/approve", "{}")); !strings.Contains(fmt.Sprint(p["errors"]), "body.hash") {
		t.Errorf("the field at fault is not named: %v", p)
	}
	f.wants(http.StatusConflict, f.call(http.MethodPost, path+"/approve", `{"hash":"`+strings.Repeat("0", 64)+`"}`))
	f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPost, path+"/approve", `{"hash":"other"}`, "If-Match", etag))
	if got := f.wants(http.StatusOK, f.call(http.MethodPost, path+"/approve", "", "If-Match", etag)); got["status"] != "approved" {
		t.Errorf("status = %v", got["status"])
	}
	// One changed byte: the approval is gone, and the old hash approves nothing any more.
	edited := f.wants(http.StatusOK, f.call(http.MethodPatch, path, `{"body":"Bonjour à tous!"}`))
	if edited["status"] != "in_review" || edited["version"] != 2.0 {
		t.Errorf("after the edit: %v, version %v", edited["status"], edited["version"])
	}
	f.wants(http.StatusConflict, f.call(http.MethodPost, path+"/approve", "", "If-Match", etag))
	f.wants(http.StatusConflict, f.call(http.MethodPatch, path, `{"body":"Autre","hash":"`+c.Hash+`"}`))
	if _, ok, err := f.s.In(f.ws.ID).ContentHash(t.Context(), c.ID); err != nil || ok {
		t.Errorf("publishable %v, %v", ok, err)
	}
}

func TestMediaAndAccountArePartOfWhatIsApproved(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps("Bonjour à tous.")
	path := "/v1/contents/" + string(c.ID)
	account, err := f.s.In(f.ws.ID).PutAccount(t.Context(), growth.Account{URN: "urn:li:person:x", Name: "X"}, func(growth.AccountID) (string, error) { return "t", nil })
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]bool{c.Hash: true}
	for _, edit := range []string{
		`{"media":["` + growth.NewID() + `"]}`,
		`{"account_id":"` + string(account.ID) + `"}`,
		`{"media":[]}`,
	} {
		f.wants(http.StatusOK, f.call(http.MethodPost, path+"/approve", "", "If-Match", f.call(http.MethodGet, path, "").header.Get("ETag")))
		got := f.wants(http.StatusOK, f.call(http.MethodPatch, path, edit))
		hash := fmt.Sprint(got["hash"])
		if hashes[hash] || got["status"] != "in_review" {
			t.Errorf("%s: status %v, hash seen before: %v", edit, got["status"], hashes[hash])
		}
		hashes[hash] = true
	}
	for edit, field := range map[string]string{
		`{"media":["7"]}`:                         "body.media",
		`{"account_id":"7"}`:                      "body.account_id",
		`{"account_id":"` + growth.NewID() + `"}`: "body.account_id",
		`{"hashtags":["1","2","3","4","5","6","7","8","9","10","11"]}`: "body.hashtags",
	} {
		if p := f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPatch, path, edit)); !strings.Contains(fmt.Sprint(p["errors"]), field) {
			t.Errorf("%s: %v; want the field %s", edit, p["errors"], field)
		}
	}
}

func TestVersionsAreKeptReadAndRestored(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps("Un.")
	path := "/v1/contents/" + string(c.ID)
	for _, body := range []string{"Deux.", "Trois."} {
		f.wants(http.StatusOK, f.call(http.MethodPatch, path, `{"body":"`+body+`"}`))
	}
	list := f.wants(http.StatusOK, f.call(http.MethodGet, path+"/versions?limit=2", ""))
	rows := rowsOf(list)
	if len(rows) != 2 || rows[0]["body"] != "Trois." || list["next_cursor"] != "2" {
		t.Fatalf("versions = %v", list)
	}
	rest := rowsOf(f.wants(http.StatusOK, f.call(http.MethodGet, path+"/versions?limit=2&cursor=2", "")))
	if len(rest) != 1 || rest[0]["body"] != "Un." {
		t.Errorf("the rest = %v", rest)
	}
	if v := f.wants(http.StatusOK, f.call(http.MethodGet, path+"/versions/2", "")); v["body"] != "Deux." || v["edited_by"] == "" {
		t.Errorf("version 2 = %v", v)
	}
	back := f.wants(http.StatusOK, f.call(http.MethodPost, path+"/versions/1/restore", ""))
	if back["body"] != "Un." || back["version"] != 4.0 || back["hash"] != c.Hash || back["status"] != "in_review" {
		t.Errorf("restored = %v", back)
	}
	if v := f.wants(http.StatusOK, f.call(http.MethodGet, path+"/versions/4", "")); v["restored_from"] != 1.0 {
		t.Errorf("version 4 = %v", v)
	}
	f.wants(http.StatusNotFound, f.call(http.MethodGet, path+"/versions/9", ""))
	f.wants(http.StatusNotFound, f.call(http.MethodPost, path+"/versions/9/restore", ""))
}

func TestRejectionKeepsItsReason(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps("Bonjour.")
	path := "/v1/contents/" + string(c.ID)
	f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPost, path+"/reject", `{}`))
	got := f.wants(http.StatusOK, f.call(http.MethodPost, path+"/reject", `{"reason":"trop sec"}`))
	if got["status"] != "rejected" || got["reject_reason"] != "trop sec" {
		t.Errorf("%v", got)
	}
	f.wants(http.StatusOK, f.call(http.MethodPost, path+"/approve", `{"hash":"`+c.Hash+`"}`))
	ds := rowsOf(f.wants(http.StatusOK, f.call(http.MethodGet, path+"/decisions", "")))
	if len(ds) != 2 || ds[0]["decision"] != "approved" || ds[1]["reason"] != "trop sec" || ds[1]["machine"] != false {
		t.Errorf("decisions = %v", ds)
	}
}

func TestBulkApprovalTakesEachByItself(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	a, b := f.keeps("Un."), f.keeps("Deux.")
	out := f.wants(http.StatusOK, f.call(http.MethodPost, "/v1/contents/approve", fmt.Sprintf(
		`{"items":[{"id":%q,"hash":%q},{"id":%q,"hash":%q},{"id":%q,"hash":"x"}]}`, a.ID, a.Hash, b.ID, a.Hash, growth.NewID())))
	rows := rowsOf(out)
	code := func(i int) any { return object(rows[i]["error"])["status"] }
	if out["approved"] != 1.0 || out["refused"] != 2.0 || rows[0]["status"] != "approved" || code(1) != 409.0 || code(2) != 404.0 {
		t.Errorf("%v", out)
	}
}

func TestReviewQueueIsFiltered(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	sc := f.s.In(f.ws.ID)
	brand, err := sc.CreateBrand(t.Context(), growth.Brand{Name: "A"})
	if err != nil {
		t.Fatal(err)
	}
	campaign, err := sc.EnsureCampaign(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	f.keeps("plain")
	f.keeps("branded", func(c *growth.Content) { c.BrandID, c.Score = &brand.ID, 80 })
	f.keeps("campaign", func(c *growth.Content) { c.CampaignID, c.Score = &campaign.ID, 40 })
	audited := f.keeps("audited", func(c *growth.Content) { c.Status, c.Audit, c.Score = growth.ContentApproved, growth.AuditOpen, 95 })
	for query, want := range map[string]string{
		"status=in_review":                   "campaign branded plain",
		"brand_id=" + string(brand.ID):       "branded",
		"campaign_id=" + string(campaign.ID): "campaign",
		"min_score=60":                       "audited branded",
		"min_score=30&max_score=50":          "campaign",
		"audit=open":                         "audited",
	} {
		var got []string
		for _, r := range rowsOf(f.wants(http.StatusOK, f.call(http.MethodGet, "/v1/contents?"+query, ""))) {
			got = append(got, fmt.Sprint(r["body"]))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	f.wants(http.StatusOK, f.call(http.MethodPost, "/v1/contents/"+string(audited.ID)+"/approve", `{"hash":"`+audited.Hash+`"}`))
	if got := f.wants(http.StatusOK, f.call(http.MethodGet, "/v1/contents?audit=kept", "")); len(rowsOf(got)) != 1 {
		t.Errorf("a person looked, and the audit says %v", got)
	}
}

func TestContentShowsWhereTheFoldIs(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps(strings.Repeat("mot ", 80) + "fin.")
	p := object(f.wants(http.StatusOK, f.call(http.MethodGet, "/v1/contents/"+string(c.ID), ""))["preview"])
	if fmt.Sprint(p["above_fold"], p["below_fold"]) != p["text"] || content.Length(fmt.Sprint(p["above_fold"])) != content.FoldChars || p["characters"] != 334.0 {
		t.Errorf("preview = %v", p)
	}
}

func TestBrandsAreMadeChangedAndChosen(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	one := f.wants(http.StatusCreated, f.call(http.MethodPost, "/v1/brands",
		`{"name":"Chez Ada","voice":"chaleureuse","claims":[{"text":"ouvert depuis 1998","source":"registre"}],"banned":["garanti"],"language":"fr-CA","trust_after":2}`))
	two := f.wants(http.StatusCreated, f.call(http.MethodPost, "/v1/brands", `{"name":"Autre","default":true}`))
	if one["default"] != true || two["trust_after"] != 5.0 || two["trusted_posts"] != 0.0 {
		t.Errorf("one %v, two %v", one, two)
	}
	path := "/v1/brands/" + fmt.Sprint(one["id"])
	if got := f.wants(http.StatusOK, f.call(http.MethodGet, path, "")); got["default"] == true || got["voice"] != "chaleureuse" || got["trust_after"] != 2.0 {
		t.Errorf("one = %v; the other is the default now", got)
	}
	if got := f.wants(http.StatusOK, f.call(http.MethodPatch, path, `{"trust_after":0,"banned":[]}`)); got["trust_after"] != 0.0 || got["banned"] != nil || got["voice"] != "chaleureuse" {
		t.Errorf("patched = %v", got)
	}
	f.wants(http.StatusConflict, f.call(http.MethodPost, "/v1/brands", `{"name":"chez ada"}`))
	f.wants(http.StatusConflict, f.call(http.MethodDelete, "/v1/brands/"+fmt.Sprint(two["id"]), ""))
	for body, field := range map[string]string{
		`{}`: "body.name", `{"name":"x","claims":[{"text":"best","source":""}]}`: "body.claims[0].source", `{"name":"x","nope":1}`: "body.nope",
	} {
		if p := f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPost, "/v1/brands", body)); !strings.Contains(fmt.Sprint(p["errors"]), field) {
			t.Errorf("%s: %v; want the field %s", body, p["errors"], field)
		}
	}
	job := func(body string) answer { return f.call(http.MethodPost, "/v1/jobs/content-generation", body) }
	f.wants(http.StatusAccepted, job(`{"topic":"x","brand_id":"`+fmt.Sprint(one["id"])+`","auto_approve":false}`))
	if p := f.wants(http.StatusUnprocessableEntity, job(`{"topic":"x","brand_id":"`+growth.NewID()+`"}`)); !strings.Contains(fmt.Sprint(p["errors"]), "brand_id") {
		t.Errorf("an unknown brand: %v", p)
	}
	f.wants(http.StatusNoContent, f.call(http.MethodDelete, path, ""))
	f.wants(http.StatusNotFound, f.call(http.MethodGet, path, ""))
}

func TestAutoApproveIsFalseOrAThreshold(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for value, status := range map[string]int{
		"false": 202, `{}`: 202, `{"threshold":80}`: 202, "true": 422, `{"threshold":101}`: 422, `{"limit":1}`: 422, `"yes"`: 422,
	} {
		a := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"x","auto_approve":`+value+`}`)
		if a.status != status || status == 422 && !strings.Contains(string(a.body), "auto_approve") {
			t.Errorf("%s: %d %s", value, a.status, a.body)
		}
		b := f.call(http.MethodPost, "/v1/jobs/batch", `[{"type":"content-generation","topic":"x","auto_approve":`+value+`}]`)
		if accepted := b.json(t)["accepted"] == 1.0; accepted != (status == 202) {
			t.Errorf("%s in a batch: %s", value, b.body)
		}
	}
}

func TestBatchNeedsACampaign(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	campaign, err := f.s.In(f.ws.ID).EnsureCampaign(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	body := `{"language":"fr-CA","batch":{"topics":["a","b"],"limit":1}`
	if p := f.wants(http.StatusUnprocessableEntity, f.call(http.MethodPost, "/v1/jobs/content-generation", body+`}`)); !strings.Contains(fmt.Sprint(p["errors"]), "campaign_id") {
		t.Errorf("without: %v", p)
	}
	f.wants(http.StatusAccepted, f.call(http.MethodPost, "/v1/jobs/content-generation", body+`,"campaign_id":"`+string(campaign.ID)+`"}`))
	s := f.wants(http.StatusCreated, f.call(http.MethodPost, "/v1/schedules",
		`{"name":"weekly","cron":"0 9 * * 1","zone":"America/Toronto","job":{"type":"content-generation","campaign_id":"`+string(campaign.ID)+`","batch":{"leads":{"min_score":60}}}}`))
	if !strings.Contains(fmt.Sprint(s["input"]), "min_score") {
		t.Errorf("schedule = %v", s)
	}
}

// What LinkedIn does not take is found out by the person who approves it and not at the time of the post.
func TestTextsTooLongForLinkedInAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	c := f.keeps(strings.Repeat("mot ", 800))
	body := `{"hash":"` + c.Hash + `"}`
	if a := f.call(http.MethodPost, "/v1/contents/"+string(c.ID)+"/approve", body); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "3000") {
		t.Errorf("approve: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/contents/approve", `{"items":[{"id":"`+string(c.ID)+`","hash":"`+c.Hash+`"}]}`); !strings.Contains(string(a.body), `"refused":1`) {
		t.Errorf("bulk: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"content_id":"`+string(c.ID)+`"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("publish: %d %s", a.status, a.body)
	}
}

// A job that names no account keeps the one that there was; with several it has to say.
func TestAccountOfAPostIsSettledWhenItIsAccepted(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.Simulated = true })
	connect := func(urn string, simulated bool) growth.Account {
		t.Helper()
		a, err := f.s.In(f.ws.ID).PutAccount(t.Context(), growth.Account{URN: urn, Name: urn, Simulated: simulated}, func(growth.AccountID) (string, error) { return "t", nil })
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	connect("urn:li:person:real", false)
	only := connect("urn:li:person:1", true)
	accepted := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonjour"}`)
	if accepted.status != http.StatusAccepted {
		t.Fatalf("%d %s", accepted.status, accepted.body)
	}
	var job struct{ ID growth.JobID }
	if err := json.Unmarshal(accepted.body, &job); err != nil {
		t.Fatal(err)
	}
	if got, err := f.s.In(f.ws.ID).Job(t.Context(), job.ID); err != nil || !strings.Contains(string(got.Input), string(only.ID)) {
		t.Errorf("input %s, %v; want the account %s", got.Input, err, only.ID)
	}
	connect("urn:li:organization:2", true)
	if a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonsoir"}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "account_id") {
		t.Errorf("with two accounts: %d %s", a.status, a.body)
	}
}
