package n8n

// fact is what the lint knows of one version of a node: the parameters that a file may set, those below options, how
// many outputs it has, and which credential it takes. Only what the workflows use is here; add a node, add its fact.
// The tests with a genuine n8n hold these to what that n8n declares.
type fact struct {
	params  []string
	options []string // below the parameter options
	needs   []string // of params: without them the node does nothing
	outputs int      // 0: as many as its rules, see outputs
	trigger bool
}

// facts are keyed by type and version. The versions are older than the newest on purpose: a version that is newer than
// the user's n8n breaks the node, an older one goes on working. All of these exist in 1.123 and in 2.8.
var facts = map[string]fact{
	"n8n-nodes-base.aggregate@1":    {params: []string{"aggregate", "destinationFieldName", "options"}, needs: []string{"aggregate"}, outputs: 1},
	"n8n-nodes-base.errorTrigger@1": {outputs: 1, trigger: true},
	"n8n-nodes-base.httpRequest@4.2": {
		params: []string{
			"method", "url", "authentication", "genericAuthType", "sendQuery", "queryParameters", "sendHeaders", "headerParameters",
			"sendBody", "contentType", "specifyBody", "jsonBody", "options",
		},
		options: []string{"timeout", "response"}, needs: []string{"method", "url"}, outputs: 1,
	},
	"n8n-nodes-base.if@2.2":          {params: []string{"conditions", "options"}, needs: []string{"conditions"}, outputs: 2},
	"n8n-nodes-base.manualTrigger@1": {outputs: 1, trigger: true},
	"n8n-nodes-base.noOp@1":          {outputs: 1},
	"n8n-nodes-base.respondToWebhook@1.1": {
		params: []string{"respondWith", "responseBody", "options"}, options: []string{"responseCode"}, needs: []string{"respondWith", "responseBody"}, outputs: 1,
	},
	"n8n-nodes-base.scheduleTrigger@1.2": {params: []string{"rule"}, needs: []string{"rule"}, outputs: 1, trigger: true},
	"n8n-nodes-base.set@3.4":             {params: []string{"mode", "assignments", "options"}, needs: []string{"mode", "assignments"}, outputs: 1},
	"n8n-nodes-base.splitInBatches@3":    {params: []string{"batchSize", "options"}, needs: []string{"batchSize"}, outputs: 2},
	"n8n-nodes-base.splitOut@1":          {params: []string{"fieldToSplitOut", "include", "options"}, needs: []string{"fieldToSplitOut"}, outputs: 1},
	"n8n-nodes-base.stickyNote@1":        {params: []string{"content", "width", "height", "color"}, needs: []string{"content"}},
	"n8n-nodes-base.stopAndError@1":      {params: []string{"errorType", "errorMessage"}, needs: []string{"errorMessage"}},
	"n8n-nodes-base.switch@3.2":          {params: []string{"mode", "rules", "options"}, options: []string{"fallbackOutput", "renameFallbackOutput"}, needs: []string{"mode", "rules"}},
	"n8n-nodes-base.wait@1.1": {
		params: []string{
			"resume", "amount", "unit", "httpMethod", "incomingAuthentication", "responseMode", "limitWaitTime", "limitType", "resumeAmount", "resumeUnit", "options",
		},
		needs: []string{"resume"}, outputs: 1,
	},
	"n8n-nodes-base.webhook@2": {
		params: []string{"httpMethod", "path", "authentication", "responseMode", "options"}, needs: []string{"httpMethod", "path", "authentication", "responseMode"}, outputs: 1, trigger: true,
	},
}

// The only credential type in use: one header, whose value stays in n8n.
const headerAuth = "httpHeaderAuth"
