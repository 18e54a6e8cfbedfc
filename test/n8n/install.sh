#!/usr/bin/env bash
# Installs a genuine n8n for the tests: test/n8n/install.sh VERSION DIR. Nothing of it goes into the repository.
# Needs node 20.19 or later, npm, python3, make and a C++ compiler; fetches about 2,000 packages (2 GB) once.
set -euo pipefail
version=$1
dir=$2

for tool in node npm python3 make c++; do
	command -v "$tool" >/dev/null || { echo "n8n: $tool is missing; install it to run the tests with a genuine n8n" >&2; exit 1; }
done

mkdir -p "$dir"
cd "$dir"
[ -e complete ] && exit 0
echo "n8n: installing $version into $dir; that takes minutes" >&2

# Of its dependencies one comes from an address outside the registry, which many networks do not reach; the registry has
# the same library. Scripts of packages are not run; only the database's binding has to be compiled.
printf '{"private": true, "overrides": {"xlsx": "0.18.5"}}\n' >package.json
if ! npm install --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error "n8n@$version" >install.log 2>&1; then
	tail -20 install.log >&2
	echo "n8n: npm could not install n8n $version; is the npm registry within reach? (all of it: $dir/install.log)" >&2
	exit 1
fi
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # else node-gyp fetches them
gyp=$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js
if ! (cd node_modules/sqlite3 && node "$gyp" rebuild) >build.log 2>&1; then
	tail -20 build.log >&2
	echo "n8n: the binding of sqlite3 did not compile (all of it: $dir/build.log)" >&2
	exit 1
fi
node -e 'require("sqlite3")'
touch complete
