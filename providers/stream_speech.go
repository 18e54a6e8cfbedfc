package providers

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// chatPart is one event of a stream in OpenAI's shape.
type chatPart struct {
	ID      word             `json:"id"`
	Model   word             `json:"model"`
	Choices []chatPartChoice `json:"choices"`
	Usage   *chatUsage       `json:"usage"`
	Error   json.RawMessage  `json:"error"`
}

type chatPartChoice struct {
	FinishReason word            `json:"finish_reason"`
	Delta        chatMessage     `json:"delta"`
	Error        json.RawMessage `json:"error"`
}

// chatSpeech understands a stream in OpenAI's shape.
type chatSpeech struct {
	reply reply
	resp  *Response
	now   func() time.Time

	last     chatChoice // the fault, the refusal and the finish, as a whole answer would have them
	finished bool       // a finish reason was named, known or not
	done     bool       // the stream said that it is over
}

func (s *chatSpeech) hear(message []byte) (text string, done bool, err error) {
	message = bytes.TrimSpace(message)
	if bytes.Equal(message, []byte("[DONE]")) {
		s.done = true
		return "", true, nil
	}
	var part chatPart
	if err := json.Unmarshal(message, &part); err != nil && !json.Valid(message) {
		return "", false, broken.fault("a piece of the answer is not JSON")
	}
	if part.ID != "" {
		s.resp.Generation = string(part.ID)
	}
	if part.Model != "" {
		s.resp.Model = string(part.Model)
	}
	if part.Usage != nil && part.Usage.says() { // some hosts count twice; the last count is the whole one
		part.Usage.fill(s.resp)
	}
	if len(part.Choices) > 0 {
		text = s.choice(part.Choices[0])
	}
	if says(part.Error) {
		return text, false, innerFault(parseError(part.Error), s.reply, s.now())
	}
	if says(s.last.Error) {
		return text, false, innerFault(parseError(s.last.Error), s.reply, s.now())
	}
	return text, false, nil
}

func (u chatUsage) says() bool {
	return u.PromptTokens.known || u.CompletionTokens.known || says(u.Cost)
}

func (s *chatSpeech) choice(c chatPartChoice) string {
	if c.FinishReason != "" {
		s.finished = true
		s.resp.FinishReason = finishReasons[strings.ToLower(string(c.FinishReason))]
	}
	s.last.Message.Refusal += c.Delta.Refusal
	s.last.Error = c.Error
	return string(c.Delta.Content)
}

func (s *chatSpeech) end() error {
	if !s.finished && !s.done && strings.TrimSpace(s.resp.Text) != "" {
		return broken.fault("the answer has no end")
	}
	return s.last.fault(s.resp, s.reply, s.now())
}

// ollamaSpeech understands a stream in Ollama's native shape.
type ollamaSpeech struct {
	reply reply
	resp  *Response
	now   func() time.Time
	last  ollamaAnswer
}

func (s *ollamaSpeech) hear(message []byte) (text string, done bool, err error) {
	var part ollamaAnswer
	if err := json.Unmarshal(message, &part); err != nil && !json.Valid(message) {
		return "", false, broken.fault("a piece of the answer is not JSON")
	}
	s.last = part
	if says(part.Error) {
		return "", false, innerFault(parseError(part.Error), s.reply, s.now())
	}
	part.fill(s.resp)
	text, s.resp.Text = s.resp.Text, "" // the piece is not the whole
	return text, part.Done, nil
}

func (s *ollamaSpeech) end() error { return s.last.fault(s.resp, s.reply, s.now()) }
