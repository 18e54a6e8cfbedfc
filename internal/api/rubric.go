package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) rubrics(h huma.API) {
	list := op(http.MethodGet, "/v1/rubrics", "rubrics", "List the rubrics: the built-in ones, then the workspace's own, newest first", auth.ScopeRead, 200)
	list.Description = "The built-in ones stand on the first page only. `in_use` is what jobs take that name none."
	register(h, list, a.listRubrics)
	add := op(http.MethodPost, "/v1/rubrics", "rubrics", "Make a new version of a rubric from YAML", auth.ScopeAdmin, 201)
	add.Description = "The name and the version stand in the YAML. A version never changes: the same text again gives what is there, another text is " +
		"a conflict. All that is wrong is told at once: `errors[]` has the place (`criteria[2].levels[0].points`), the `line`, what it `got`, and what would be right. Send the YAML itself (`Content-Type: application/yaml`), or JSON with a member `yaml`."
	add.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/yaml": {Schema: &huma.Schema{Type: huma.TypeString}, Example: rubricExample},
		"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"yaml"}, Properties: map[string]*huma.Schema{
			"yaml": {Type: huma.TypeString, Description: "At most 256 KiB"},
		}}},
	}}
	add.SkipValidateBody = true
	register(h, add, a.postRubric)
	register(h, op(http.MethodGet, "/v1/rubrics/{ref}", "rubrics", "Read a rubric, as YAML and as JSON", auth.ScopeRead, 200), a.getRubric)
	register(h, op(http.MethodGet, "/v1/rubrics/{ref}/yaml", "rubrics", "The YAML of a rubric, ready to be changed and sent back", auth.ScopeRead, 200), a.getRubricYAML)
	use := op(http.MethodPost, "/v1/rubrics/{ref}/use", "rubrics", "Make a rubric that of the workspace", auth.ScopeAdmin, 200)
	use.Description = "A name alone follows its newest version from then on, name@version stays. Scores are not made again by themselves: see /v1/leads/rescore and schedules of the kind rescore."
	register(h, use, a.useRubric)
}

const rubricExample = `name: bakeries
version: "1"
title: {en: Bakeries, fr: Boulangeries}
fields: [business_name, business_type, city, notes]
criteria:
  - id: kind
    axis: fit
    question: {en: "Is it a bakery?", fr: "Est-ce une boulangerie?"}
    levels:
      - {level: "yes", points: 10, when: a bakery, rules: [{field: business_type, words: [bakery, boulangerie]}]}
  - id: asks
    axis: intent
    question: {en: "Does it ask for a quote?", fr: "Demande-t-elle une soumission?"}
    levels:
      - {level: "yes", points: 10, when: asks for a price, rules: [{field: notes, words: [quote, soumission]}]}
`

// RubricView is a version of a rubric.
type RubricView struct {
	ID        string          `json:"id" example:"local-business@1" doc:"name@version"`
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	Title     RubricTitle     `json:"title"`
	BuiltIn   bool            `json:"built_in"`
	InUse     bool            `json:"in_use" doc:"Jobs take it that name none"`
	CreatedBy string          `json:"created_by,omitempty"`
	CreatedAt *time.Time      `json:"created_at,omitempty"`
	YAML      string          `json:"yaml,omitempty" doc:"As it was written; not in lists"`
	Document  json.RawMessage `json:"document,omitempty" doc:"The same as JSON; not in lists"`
}

// RubricTitle is a rubric's title in the product's languages.
type RubricTitle struct {
	EN string `json:"en"`
	FR string `json:"fr"`
}

// viewOf describes a rubric by its YAML. inUse is the ID of the workspace's.
func viewOf(src []byte, inUse string, whole bool) (RubricView, error) {
	r, err := lead.ParseKept(src)
	if err != nil {
		return RubricView{}, err
	}
	v := RubricView{
		ID: r.ID(), Name: r.Name, Version: r.Version, Title: RubricTitle{EN: r.Title.EN, FR: r.Title.FR},
		BuiltIn: tasks.BuiltInRubric(r.Name), InUse: r.ID() == inUse,
	}
	if whole {
		v.YAML = string(src)
		v.Document, err = lead.Document(src)
	}
	return v, err
}

func ownView(r store.Rubric, inUse string, whole bool) (RubricView, error) {
	v, err := viewOf([]byte(r.Source), inUse, whole)
	v.CreatedBy, v.CreatedAt = r.CreatedBy, &r.CreatedAt
	return v, err
}

// rubricInUse is the ID of the workspace's rubric; empty when the settings name one that does not exist.
func (a *api) rubricInUse(ctx context.Context) (string, error) {
	sc := a.Store.In(who(ctx).Workspace)
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return "", err
	}
	r, err := tasks.RubricOf(ctx, sc, ws.Settings.Rubric)
	if growth.CodeOf(err) == growth.Invalid {
		return "", nil
	}
	return r.ID(), err
}

// listedRubric is a rubric with what names it to the next page.
type listedRubric struct {
	key  string
	view RubricView
}

// listRubrics lists the built-in ones first.
func (a *api) listRubrics(ctx context.Context, in *PageParams) (*struct{ Body List[RubricView] }, error) {
	inUse, err := a.rubricInUse(ctx)
	if err != nil {
		return nil, err
	}
	all, err := builtInRubrics(inUse)
	if err != nil {
		return nil, err
	}
	behind := PageParams{Limit: in.Limit}
	if growth.ValidID(in.Cursor) {
		all, behind.Cursor = nil, in.Cursor
	} else {
		from, err := placeAfter(all, in.Cursor, func(r listedRubric) string { return r.key })
		if err != nil {
			return nil, err
		}
		all = all[from:]
	}
	p, err := behind.page()
	if err != nil {
		return nil, err
	}
	own, err := a.Store.In(who(ctx).Workspace).Rubrics(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, r := range own {
		v, err := ownView(r, inUse, false)
		if err != nil {
			return nil, err
		}
		all = append(all, listedRubric{r.ID, v})
	}
	page := listOf(all, in.Limit, func(r listedRubric) string { return r.key })
	out := List[RubricView]{Data: make([]RubricView, len(page.Data)), NextCursor: page.NextCursor}
	for i, r := range page.Data {
		out.Data[i] = r.view
	}
	return &struct{ Body List[RubricView] }{out}, nil
}

func builtInRubrics(inUse string) ([]listedRubric, error) {
	var out []listedRubric
	for _, name := range lead.Names() {
		src, err := lead.BuiltIn(name)
		if err != nil {
			return nil, err
		}
		v, err := viewOf(src, inUse, false)
		if err != nil {
			return nil, err
		}
		out = append(out, listedRubric{v.ID, v})
	}
	return out, nil
}

// rubricRef names a rubric in a path.
type rubricRef struct {
	Ref string `path:"ref" maxLength:"129" doc:"name for its newest version, or name@version" example:"local-business"`
}

type rubricOutput struct{ Body RubricView }

func (a *api) getRubric(ctx context.Context, in *rubricRef) (*rubricOutput, error) {
	v, err := a.rubric(ctx, in.Ref)
	return &rubricOutput{v}, err
}

func (a *api) rubric(ctx context.Context, ref string) (RubricView, error) {
	inUse, err := a.rubricInUse(ctx)
	if err != nil {
		return RubricView{}, err
	}
	if !tasks.BuiltInRubric(ref) {
		r, err := a.Store.In(who(ctx).Workspace).Rubric(ctx, ref)
		if err != nil {
			return RubricView{}, err
		}
		return ownView(r, inUse, true)
	}
	r, err := lead.Load(ref)
	if err != nil {
		return RubricView{}, growth.Errorf(growth.NotFound, "api.rubric", "there is no rubric %q; see /v1/rubrics", ref)
	}
	src, err := lead.BuiltIn(r.Name)
	if err != nil {
		return RubricView{}, err
	}
	return viewOf(src, inUse, true)
}

func (a *api) getRubricYAML(ctx context.Context, in *rubricRef) (*huma.StreamResponse, error) {
	v, err := a.rubric(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", "application/yaml; charset=utf-8")
		h.SetHeader("Content-Disposition", `attachment; filename="`+v.ID+`.yaml"`)
		_, _ = io.WriteString(h.BodyWriter(), v.YAML) // who hung up does not miss the rest
	}}, nil
}

type postRubricInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte
}

// yaml is the rubric itself, out of whichever body came: the framework knows no YAML.
func (in *postRubricInput) yaml() ([]byte, error) {
	if kind, _, _ := mime.ParseMediaType(in.ContentType); kind != "application/json" {
		return in.RawBody, nil
	}
	var b struct {
		YAML string `json:"yaml"`
	}
	err := strict(in.RawBody, &b)
	return []byte(b.YAML), err
}

func (a *api) postRubric(ctx context.Context, in *postRubricInput) (*rubricOutput, error) {
	const op = "api.postRubric"
	src, err := in.yaml()
	switch {
	case err != nil:
		return nil, err
	case len(src) > lead.MaxRubric:
		return nil, growth.InvalidField(op, "rubric", "has %d bytes, at most %d are taken", len(src), lead.MaxRubric)
	case bytes.IndexByte(src, 0) >= 0:
		return nil, growth.InvalidField(op, "rubric", "must not hold a NUL character")
	}
	r, err := lead.Parse(src)
	if err != nil {
		return nil, err
	}
	if slices.Contains(lead.Names(), r.Name) {
		return nil, growth.InvalidField(op, "name", "%q is built in; give yours another name than %s", r.Name, strings.Join(lead.Names(), ", "))
	}
	kept, err := a.Store.In(who(ctx).Workspace).AddRubric(ctx, store.Rubric{
		Name: r.Name, Version: r.Version, Source: string(src), CreatedBy: who(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	v, err := a.rubric(ctx, kept.Ref())
	return &rubricOutput{v}, err
}

func (a *api) useRubric(ctx context.Context, in *rubricRef) (*rubricOutput, error) {
	if _, err := a.rubric(ctx, in.Ref); err != nil {
		return nil, err
	}
	if err := a.Store.In(who(ctx).Workspace).UseRubric(ctx, in.Ref); err != nil {
		return nil, err
	}
	v, err := a.rubric(ctx, in.Ref)
	return &rubricOutput{v}, err
}
