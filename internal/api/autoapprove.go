package api

import (
	"bytes"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

// AutoApproveBody is false, or from which score on the machine may approve.
type AutoApproveBody struct {
	off bool
	set tasks.AutoApprove
}

// UnmarshalJSON takes false or an object.
func (b *AutoApproveBody) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("false")) {
		*b = AutoApproveBody{off: true}
		return nil
	}
	b.off = false
	if err := strict(raw, &b.set); err != nil {
		return growth.InvalidField("api.AutoApproveBody", "auto_approve", "use {\"threshold\": 70} or false")
	}
	return nil
}

// Schema describes it.
func (AutoApproveBody) Schema(huma.Registry) *huma.Schema {
	low, high := 0.0, 100.0
	return &huma.Schema{
		Description: "Default, and false: a person approves. Else what keeps every hard rule, is judged at or above the threshold (default 70) " +
			"and belongs to a brand of the workspace that people trust is approved by the machine; 5 of 100 are marked for an audit.",
		OneOf: []*huma.Schema{
			{Type: huma.TypeBoolean, Enum: []any{false}},
			{
				Type: huma.TypeObject, AdditionalProperties: false,
				Properties: map[string]*huma.Schema{"threshold": {Type: huma.TypeInteger, Minimum: &low, Maximum: &high}},
			},
		},
	}
}

func (b *AutoApproveBody) args() *tasks.AutoApprove {
	if b == nil || b.off {
		return nil
	}
	set := b.set
	return &set
}
