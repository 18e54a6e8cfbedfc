package growth

import (
	"time"

	"github.com/shopspring/decimal"
)

// BudgetID names a budget.
type BudgetID string

// BudgetPeriod is how long a budget's money has to last. Windows are cut in UTC: a day from midnight to midnight, a
// month from its first to the next one's.
type BudgetPeriod string

// The periods of budgets.
const (
	BudgetDay   BudgetPeriod = "day"
	BudgetMonth BudgetPeriod = "month"
)

// Window is the window that at lies in, from start up to but not including end.
func (p BudgetPeriod) Window(at time.Time) (start, end time.Time) {
	y, m, d := at.UTC().Date()
	if p == BudgetMonth {
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC), time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}

// BudgetPolicy is what happens to a call that a budget has no money left for.
type BudgetPolicy string

// The policies at the limit.
const (
	BudgetFreeOnly BudgetPolicy = "free_only" // paid candidates are skipped, free ones go on
	BudgetWait     BudgetPolicy = "wait"      // a job waits until the window ends; a direct call is refused
	BudgetStop     BudgetPolicy = "stop"      // a job fails, a direct call is refused
)

// Stricter says whether p leaves less than o: of two spent budgets the stricter one decides.
func (p BudgetPolicy) Stricter(o BudgetPolicy) bool { return p.rank() > o.rank() }

func (p BudgetPolicy) rank() int {
	switch p {
	case BudgetStop:
		return 2
	case BudgetWait:
		return 1
	case BudgetFreeOnly:
	}
	return 0
}

// Budget is a hard limit on what the calls that it covers may cost in a window. It covers those of its workspace that
// agree with every one of Campaign, Task and Key that is set.
type Budget struct {
	ID        BudgetID        `json:"id"`
	Workspace WorkspaceID     `json:"-"`
	Name      string          `json:"name"`
	Campaign  CampaignID      `json:"campaign_id,omitempty"`
	Task      TaskType        `json:"task_type,omitempty"`
	Key       string          `json:"key_id,omitempty"`
	Period    BudgetPeriod    `json:"period"`
	LimitUSD  decimal.Decimal `json:"limit_usd"`
	Policy    BudgetPolicy    `json:"policy"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// Covers says whether the budget counts a call of its workspace with these marks.
func (b Budget) Covers(campaign CampaignID, task TaskType, key string) bool {
	return (b.Campaign == "" || b.Campaign == campaign) && (b.Task == "" || b.Task == task) && (b.Key == "" || b.Key == key)
}

// BudgetState is how much of a budget is gone.
type BudgetState string

// The states of a budget, by the shares at which each begins.
const (
	BudgetOK        BudgetState = "ok"
	BudgetNotice    BudgetState = "notice"    // from 50 %
	BudgetWarning   BudgetState = "warning"   // from 80 %
	BudgetExhausted BudgetState = "exhausted" // 100 %, or a call was turned away
)

// BudgetThresholds are the shares in percent at which an alert is raised.
func BudgetThresholds() []int { return []int{50, 80, 100} }

// BudgetStateAt names the state that begins at a threshold.
func BudgetStateAt(percent int) BudgetState {
	switch {
	case percent >= 100:
		return BudgetExhausted
	case percent >= 80:
		return BudgetWarning
	case percent >= 50:
		return BudgetNotice
	}
	return BudgetOK
}

// MaxBudgetUSD is the highest limit. Counted in billionths of a dollar, everything up to nine times as much is a whole
// number that every part of the program holds exactly.
const MaxBudgetUSD = 1_000_000

// NanoUSD is an amount in billionths of a dollar, rounded up: what is counted against a limit is never less than what
// is owed. An amount that no budget could hold is cut down to one that none could hold either.
func NanoUSD(usd decimal.Decimal) int64 {
	const most = 8 * MaxBudgetUSD
	if usd.GreaterThan(decimal.NewFromInt(most)) {
		usd = decimal.NewFromInt(most)
	}
	return usd.Shift(9).Ceil().IntPart()
}

// FromNanoUSD is the inverse of NanoUSD for whole billionths.
func FromNanoUSD(nano int64) decimal.Decimal { return decimal.New(nano, -9) }

// WorkspaceBudgets are the budgets of a workspace. Version grows with every change of them.
type WorkspaceBudgets struct {
	Workspace WorkspaceID
	Version   int64
	Budgets   []Budget
}

// BudgetTally is what the ledger says about a workspace's budgets at one instant.
type BudgetTally struct {
	WorkspaceBudgets
	Windows []BudgetWindow
	Open    []OpenCall // calls that are reserved for and whose cost nobody knows yet
}

// BudgetWindow is what was spent of one budget in one window.
type BudgetWindow struct {
	Budget    BudgetID
	Start     time.Time
	SpentNano int64
}

// OpenCall is a call that counts at its estimate.
type OpenCall struct {
	Call     CallID
	Campaign CampaignID
	Task     TaskType
	Key      string
	At       time.Time
	Nano     int64
	Unknown  bool // it has ended, or its process has died: nobody may ever tell
}

// BudgetAlert is a budget that has reached a threshold in a window.
type BudgetAlert struct {
	Budget    Budget
	Start     time.Time // of the window
	Threshold int       // percent
	UsedUSD   decimal.Decimal
}

// BudgetStatus is a budget with where it stands in its present window.
type BudgetStatus struct {
	Budget
	WindowStart  time.Time       `json:"window_start"`
	WindowEnd    time.Time       `json:"window_end"` // when the money is there again
	SpentUSD     decimal.Decimal `json:"spent_usd"`
	ReservedUSD  decimal.Decimal `json:"reserved_usd"` // held for calls in flight
	UnknownCalls int             `json:"unknown_calls"`
	UnknownUSD   decimal.Decimal `json:"unknown_usd"` // what calls of unknown cost are counted at
	State        BudgetState     `json:"state"`
}

// BudgetRefusal names the budget that turned a call away, and when its money is there again.
type BudgetRefusal struct {
	ID      BudgetID     `json:"id"`
	Name    string       `json:"name"`
	Policy  BudgetPolicy `json:"policy"`
	FreesAt time.Time    `json:"frees_at"`
}
