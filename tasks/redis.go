package tasks

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The ports that go with an address that names none.
const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// Redis makes a client for a REDIS_URL. The URL is taken apart here, because the queue's own parser drops user names,
// hands the password to the sentinels instead of the server, and knows no cluster. Forms:
//
//	redis://user:password@host:6379/0        rediss:// with TLS
//	redis-socket:///path?db=1                or unix:///path?db=1
//	redis-sentinel://user:password@a,b/0?master=name     with sentinel_username and sentinel_password for the sentinels
//	redis-cluster://user:password@a,b
//
// The two forms with several hosts take tls=true; every form takes the options of go-redis (pool_size, read_timeout, …)
// in its query. User name and password are those of the Redis servers. Errors never repeat the URL, which may hold a
// password. Clients obey the deadlines of contexts, on a socket that says nothing too. No connection is opened yet.
func Redis(rawURL string) (redis.UniversalClient, error) {
	a, err := parseRedisAddress(rawURL)
	if err != nil {
		return nil, err
	}
	switch a.scheme {
	case "redis", "rediss":
		return a.single()
	case "unix", "redis-socket":
		return a.socket()
	case "redis-sentinel":
		return a.sentinel()
	case "redis-cluster":
		return a.cluster()
	}
	return nil, errors.New("redis address: use redis://, rediss://, redis-socket://, redis-sentinel:// or redis-cluster://")
}

// redisAddress is a REDIS_URL in its parts. A list of hosts is no URL for net/url, so the parts are cut by hand.
type redisAddress struct {
	scheme string
	user   *url.Userinfo
	hosts  []string
	path   string
	query  url.Values
}

func parseRedisAddress(s string) (redisAddress, error) {
	var a redisAddress
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return a, errors.New("redis address: it has no scheme, as redis://")
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return a, errors.New("redis address: the part after ? cannot be read")
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		if a.user, err = userinfo(authority[:at]); err != nil {
			return a, err
		}
		authority = authority[at+1:]
	}
	a.scheme, a.hosts, a.path, a.query = scheme, strings.Split(authority, ","), path, query
	return a, nil
}

// userinfo reads user:password, each percent-encoded where it holds a special character.
func userinfo(s string) (*url.Userinfo, error) {
	name, password, _ := strings.Cut(s, ":")
	name, err1 := url.PathUnescape(name)
	password, err2 := url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return nil, errors.New("redis address: the user name or the password is not percent-encoded as it should be")
	}
	return url.UserPassword(name, password), nil
}

func (a redisAddress) single() (redis.UniversalClient, error) {
	if len(a.hosts) != 1 {
		return nil, errors.New("redis address: redis:// takes one host; use redis-sentinel:// or redis-cluster:// for several")
	}
	addrs, err := a.addresses(redisPort)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: a.scheme, User: a.user, Host: addrs[0], Path: "/" + a.path, RawQuery: a.query.Encode()}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, optionError(a)
	}
	o.ContextTimeoutEnabled = true // a server that hangs costs a call no more than its deadline
	return redis.NewClient(o), nil
}

func (a redisAddress) socket() (redis.UniversalClient, error) {
	if a.hosts[0] != "" || a.path == "" {
		return nil, errors.New("redis address: a socket is written with three slashes, as redis-socket:///run/redis.sock")
	}
	u := url.URL{Scheme: "unix", User: a.user, Path: "/" + a.path, RawQuery: a.query.Encode()}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, optionError(a)
	}
	o.ContextTimeoutEnabled = true // a server that hangs costs a call no more than its deadline
	return redis.NewClient(o), nil
}

func (a redisAddress) sentinel() (redis.UniversalClient, error) {
	addrs, err := a.addresses(sentinelPort)
	if err != nil {
		return nil, err
	}
	master := a.take("master")
	if master == "" {
		return nil, errors.New("redis address: redis-sentinel:// needs ?master= with the name of the master")
	}
	sentinelUser, sentinelPassword := a.take("sentinel_username"), a.take("sentinel_password")
	u := url.URL{Scheme: a.takeScheme(), Host: addrs[0], Path: "/" + a.path}
	a.query.Set("master_name", master)
	a.query["addr"] = addrs[1:]
	u.RawQuery = a.query.Encode()
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, optionError(a)
	}
	o.Username, o.Password = a.credentials()
	o.SentinelUsername, o.SentinelPassword = sentinelUser, sentinelPassword
	o.ContextTimeoutEnabled = true // a server that hangs costs a call no more than its deadline
	return redis.NewFailoverClient(o), nil
}

func (a redisAddress) cluster() (redis.UniversalClient, error) {
	if a.path != "" {
		return nil, errors.New("redis address: a cluster has no databases; leave the number out")
	}
	addrs, err := a.addresses(redisPort)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: a.takeScheme(), User: a.user, Host: addrs[0]}
	a.query["addr"] = addrs[1:]
	u.RawQuery = a.query.Encode()
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, optionError(a)
	}
	o.ContextTimeoutEnabled = true // a server that hangs costs a call no more than its deadline
	return redis.NewClusterClient(o), nil
}

// addresses completes every host with its port.
func (a redisAddress) addresses(port string) ([]string, error) {
	out := make([]string, len(a.hosts))
	for i, h := range a.hosts {
		host, p, err := net.SplitHostPort(h)
		if err != nil {
			host, p = strings.Trim(h, "[]"), port
		}
		if n, err := strconv.Atoi(p); host == "" || err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("redis address: host %d of %d is not a host with a port from 1 to 65535", i+1, len(a.hosts))
		}
		out[i] = net.JoinHostPort(host, p)
	}
	return out, nil
}

func (a redisAddress) credentials() (user, password string) {
	if a.user == nil {
		return "", ""
	}
	password, _ = a.user.Password()
	return a.user.Username(), password
}

// take removes an option that is ours from the query, so that go-redis does not stumble over it.
func (a redisAddress) take(name string) string {
	v := a.query.Get(name)
	a.query.Del(name)
	return v
}

func (a redisAddress) takeScheme() string {
	if on, err := strconv.ParseBool(a.take("tls")); err == nil && on {
		return "rediss"
	}
	return "redis"
}

// optionError says where to look; the library's text would quote what it could not read.
func optionError(a redisAddress) error {
	return fmt.Errorf("redis address: the database number or an option of %s:// is not accepted", a.scheme)
}
