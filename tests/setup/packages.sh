#!/bin/sh
# Debian packages that the tests run: PostgreSQL (both dialects of the queue), xmllint (the IVOA's schemas), CFITSIO's
# tools (an independent reader of what we write), fitsverify (HEASARC's judge of FITS), STILTS (TOPCAT's library, which
# judges VOTables), Java and Maven (Keycloak), Chromium (the web app), OpenSSL (keys of a Kubernetes API server). Installs
# what is missing if it may, else says what to do.
set -eu

missing=""
command -v xmllint >/dev/null 2>&1 || missing="$missing libxml2-utils"
command -v funpack >/dev/null 2>&1 || missing="$missing libcfitsio-bin"
command -v fitsverify >/dev/null 2>&1 || missing="$missing fitsverify"
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v stilts >/dev/null 2>&1 || missing="$missing stilts"
command -v java >/dev/null 2>&1 || missing="$missing default-jre-headless"
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need these Debian packages (or the same tools from elsewhere on PATH):$missing" >&2
    echo "Install them, for instance: sudo apt-get install$missing" >&2
    exit 1
fi
