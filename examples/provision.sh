#!/bin/sh
# Do what an identity provider does: create a user and a group, change them, delete them.
#
#     sh examples/provision.sh BASE_URL BEARER_TOKEN
#
# Both are what `dirsync directory create` shows. What it makes it deletes again, so it can be run as often as you like.
set -eu
[ $# -eq 2 ] || { echo "usage: provision.sh BASE_URL BEARER_TOKEN" >&2; exit 2; }
base=$1 token=$2

scim() { # METHOD PATH [BODY]
  echo "> $1 $2" >&2
  curl --silent --show-error --fail-with-body --request "$1" "$base$2" \
    --header "Authorization: Bearer $token" --header "Content-Type: application/scim+json" ${3:+--data "$3"}
  echo
}

id_of() { # the server's id, from the JSON on standard input
  sed 's/^.*"id":"\([^"]*\)".*$/\1/'
}

scim GET '/Users?filter=userName%20eq%20%22grace@example.com%22'

user=$(scim POST /Users '{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "grace@example.com",
  "externalId": "hr-4711",
  "name": {"givenName": "Grace", "familyName": "Hopper"},
  "emails": [{"value": "grace@example.com", "type": "work", "primary": true}]
}' | id_of)

group=$(scim POST /Groups '{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
  "displayName": "Engineering"
}' | id_of)

patch() { # PATH OPERATIONS
  scim PATCH "$1" "{\"schemas\": [\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"], \"Operations\": $2}"
}

patch "/Groups/$group" "[{\"op\": \"add\", \"path\": \"members\", \"value\": [{\"value\": \"$user\"}]}]"
patch "/Users/$user" '[{"op": "replace", "path": "title", "value": "Rear Admiral"}]'
patch "/Users/$user" '[{"op": "replace", "path": "active", "value": false}]'
scim DELETE "/Groups/$group"
scim DELETE "/Users/$user"
