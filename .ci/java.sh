#!/bin/sh
# Spark 4 needs Java 17 or later: use what is there, else install Debian's package, else say which one is missing.
set -u
version() {
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}
found=$(version 2>/dev/null)
[ "${found:-0}" -ge 17 ] && exit 0
echo "Java 17 not found; installing openjdk-17-jre-headless"
if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo -n"; fi
if command -v apt-get >/dev/null 2>&1 && $sudo apt-get update -qq && $sudo apt-get install -y -qq openjdk-17-jre-headless >/dev/null; then
    found=$(version)
fi
[ "${found:-0}" -ge 17 ] && exit 0
echo "error: Spark needs Java 17 or later, and it could not be installed here: install the package openjdk-17-jre-headless" >&2
exit 2
