package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router"
)

// The calls by which any client of OpenAI's API reaches the chain. Their bodies, their errors and their streams are as
// that API words them; what it does not know is ignored, and what would silently not happen is refused.

func (a *api) openAIFace(h huma.API, mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/chat/completions", a.openAI(auth.ScopeEnqueue, a.postChat))
	mux.HandleFunc("POST /v1/embeddings", a.openAI(auth.ScopeEnqueue, a.postEmbeddings))
	mux.HandleFunc("GET /v1/models", a.openAI(auth.ScopeRead, a.getModels))
	mux.HandleFunc("GET /v1/models/{id...}", a.openAI(auth.ScopeRead, a.getModel))
	describeOpenAI(h)
}

// OpenAIError is an error as OpenAI's API words it.
type OpenAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type" example:"invalid_request_error"`
	Param   *string `json:"param"`
	Code    *string `json:"code" example:"model_not_found"`

	status int
	header http.Header
}

// Error is the message.
func (e *OpenAIError) Error() string { return e.Message }

// OpenAIErrorBody is what an error of that API stands in.
type OpenAIErrorBody struct {
	Error *OpenAIError `json:"error"`
}

func openAIFault(status int, kind, code, message string) *OpenAIError {
	e := &OpenAIError{Message: message, Type: kind, status: status, header: http.Header{}}
	if code != "" {
		e.Code = &code
	}
	return e
}

func badParam(param, message string) *OpenAIError {
	e := openAIFault(http.StatusBadRequest, "invalid_request_error", "", message)
	e.Param = &param
	return e
}

func openAIUnknownPath() *OpenAIError {
	return openAIFault(http.StatusNotFound, "invalid_request_error", "unknown_url", "there is nothing at this path; the API is described at /docs")
}

// fromOpenAISDK tells the official clients, which understand an error in their own shape only.
func fromOpenAISDK(r *http.Request) bool { return r.Header.Get("X-Stainless-Lang") != "" }

// openAI gives a call of that API its frame: who asks, may they, and errors in that API's shape.
func (a *api) openAI(scope auth.Scope, serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := a.openAIPrincipal(r)
		err = a.admit(r.Context(), p, err, false, w.Header().Set)
		if err == nil && !p.May(scope) {
			err = growth.Errorf(growth.Forbidden, "api.openAI", "this call needs a key with the scope %q", scope)
		}
		if err == nil {
			err = serve(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
		}
		if err == nil {
			return
		}
		e := openAIErrorOf(err)
		if e.status >= 500 {
			zerolog.Ctx(r.Context()).Error().Err(err).Str("code", growth.CodeOf(err).String()).Msg("call failed")
			if e.status == http.StatusInternalServerError {
				daemon.CaptureError(r.Context(), err)
			}
		}
		writeOpenAIError(w, e)
	}
}

// openAIPrincipal is principal, but for one thing: those clients cannot be without a key, so where none is required any
// word that is no key of ours stands for none.
func (a *api) openAIPrincipal(r *http.Request) (auth.Principal, error) {
	authorization, workspace := r.Header.Get("Authorization"), r.Header.Get("X-Workspace")
	p, err := a.principal(r.Context(), authorization, r.Header.Get("X-API-Key"), workspace)
	if growth.CodeOf(err) != growth.Unauthorized || err == nil || a.RequireKeys || auth.Shaped(auth.FromHeader(authorization, "")) {
		return p, err
	}
	return a.principal(r.Context(), "", "", workspace)
}

func writeOpenAIError(w http.ResponseWriter, e *OpenAIError) {
	maps.Copy(w.Header(), e.header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	writeJSON(w, OpenAIErrorBody{e})
}

// openAIErrorOf puts any error into that API's words.
func openAIErrorOf(err error) *OpenAIError {
	if e, ok := errors.AsType[*OpenAIError](err); ok {
		return e
	}
	p := problemOf(err)
	e := openAIByCode(p)
	if chain, ok := errors.AsType[*router.ChainError](err); ok {
		e = openAIByChain(p, chain)
	}
	if p.retryAfter > 0 && (e.status >= 429 || e.status == http.StatusPaymentRequired) {
		e.header.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if e.status == http.StatusUnauthorized {
		e.header.Set("WWW-Authenticate", "Bearer")
	}
	if f, ok := errors.AsType[*growth.Error](err); ok && f.Field != "" && e.status == http.StatusBadRequest {
		e.Param = &f.Field
	}
	return e
}

func openAIByCode(p *Problem) *OpenAIError {
	const invalid = "invalid_request_error"
	switch growth.ParseCode(p.Code) {
	case growth.Unauthorized:
		return openAIFault(http.StatusUnauthorized, invalid, "invalid_api_key", p.Message)
	case growth.Forbidden:
		return openAIFault(http.StatusForbidden, invalid, "insufficient_permissions", p.Message)
	case growth.NotFound:
		return openAIFault(http.StatusNotFound, invalid, "", p.Message)
	case growth.TooLarge:
		return openAIFault(http.StatusRequestEntityTooLarge, invalid, "request_too_large", p.Message)
	case growth.TooLong:
		return openAIFault(http.StatusBadRequest, invalid, "context_length_exceeded", p.Message)
	case growth.Refused:
		return openAIFault(http.StatusBadRequest, invalid, "content_policy_violation", p.Message)
	case growth.Invalid, growth.Conflict:
		return openAIFault(http.StatusBadRequest, invalid, "", p.Message)
	case growth.Throttled:
		return openAIFault(http.StatusTooManyRequests, "requests", "rate_limit_exceeded", p.Message)
	case growth.Exhausted:
		return outOfQuota(p.Status, p.Message)
	case growth.Canceled:
		return openAIFault(499, "server_error", "canceled", p.Message)
	case growth.Unavailable, growth.KeyRejected, growth.ModelGone, growth.Malformed, growth.Uncertain:
		return openAIFault(max(p.Status, http.StatusInternalServerError), "server_error", "service_unavailable", p.Message)
	case growth.Internal:
	}
	return openAIFault(http.StatusInternalServerError, "server_error", "", p.Message)
}

// outOfQuota is that API's word for money that is spent. Its clients would try a 503 again at once if they were not told.
func outOfQuota(status int, message string) *OpenAIError {
	e := openAIFault(status, "insufficient_quota", "insufficient_quota", message)
	e.header.Set("X-Should-Retry", "false")
	return e
}

// openAIByChain words the end of a chain by what it would be worth waiting for. Its status is that of the REST API: what a
// provider refuses is no limit of the caller's. Those clients wait for Retry-After after a 503 as after a 429.
func openAIByChain(p *Problem, chain *router.ChainError) *OpenAIError {
	switch {
	case p.Status < 500:
		return openAIByCode(p)
	case chain.Reason == growth.WaitQuota, chain.Reason == growth.WaitBudget:
		return outOfQuota(p.Status, p.Message)
	case chain.Reason == growth.WaitRateLimited:
		return openAIFault(p.Status, "server_error", "rate_limit_exceeded", p.Message)
	case onlyGone(chain.Calls):
		return openAIFault(http.StatusNotFound, "invalid_request_error", "model_not_found", "the provider does not serve this model")
	case p.Status == http.StatusGatewayTimeout:
		return openAIFault(http.StatusGatewayTimeout, "server_error", "timeout", p.Message)
	}
	return openAIFault(p.Status, "server_error", "service_unavailable", p.Message)
}

// onlyGone says whether nothing was wrong but that nobody serves the model.
func onlyGone(calls []growth.Call) bool {
	for _, c := range calls {
		if c.Code != growth.ModelGone.String() {
			return false
		}
	}
	return len(calls) > 0
}

// readOpenAI decodes a body. Members that are not known are ignored.
func readOpenAI(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return openAIFault(http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large", "the body is larger than this call takes: 10 MiB")
	}
	if err != nil {
		return openAIFault(http.StatusBadRequest, "invalid_request_error", "", "the body did not arrive whole")
	}
	err = json.Unmarshal(body, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badParam(wrong.Field, "invalid type for '"+wrong.Field+"': a "+wrong.Value+" was sent")
	}
	if fault, ok := errors.AsType[*OpenAIError](err); ok {
		return fault
	}
	if err != nil {
		return openAIFault(http.StatusBadRequest, "invalid_request_error", "", "the body is not a JSON object")
	}
	return nil
}

// wanted is what a model's name means: a route, or one model of one provider.
type wanted struct {
	task  growth.TaskType
	force *growth.Call
}

const routePrefix = "astro/"

// modelByName reads "astro/<task type>" and "provider/model".
func (a *api) modelByName(name string) (wanted, error) {
	if name == "" {
		return wanted{}, badParam("model", "you must provide a model parameter: astro/<task type>, or provider/model")
	}
	if task, ok := strings.CutPrefix(name, routePrefix); ok {
		if t := growth.TaskType(task); t.Valid() {
			return wanted{task: t}, nil
		}
		return wanted{}, noSuchModel(name)
	}
	provider, slug, _ := strings.Cut(name, "/")
	if !a.Router.Serves(provider, slug) {
		return wanted{}, noSuchModel(name)
	}
	return wanted{task: growth.TaskSimple, force: &growth.Call{Provider: provider, Model: slug}}, nil
}

func noSuchModel(name string) *OpenAIError {
	e := openAIFault(http.StatusNotFound, "invalid_request_error", "model_not_found",
		"the model '"+short(name)+"' does not exist or is not served; GET /v1/models lists what is")
	param := "model"
	e.Param = &param
	return e
}
