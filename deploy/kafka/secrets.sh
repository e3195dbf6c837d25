#!/bin/sh
# Makes what compose.kafka.yaml mounts, each in a file of its own: an authority, certificates for the broker, for each role's
# user and for Elasticsearch, and random passwords. Usage: deploy/kafka/secrets.sh deploy/secrets
# For one machine and for trying out; elsewhere use the authority that you have. Nothing that is there is overwritten.
set -eu
umask 077
folder=${1:?expected a folder, e.g. deploy/secrets}
days=${DAYS:-825}
roles="ingest detect aggregate link decide enforce index views console topics"

mkdir -p "$folder"
cd "$folder"

if ! [ -s ca.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=opsonin deployment" \
    -keyout ca.key -out ca.pem -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
  chmod 0644 ca.pem
fi

issue() { # issue FILE COMMON-NAME ALTERNATIVE-NAMES
  if [ -s "$1.pem" ]; then return; fi
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile "$1.ext" -out "$1.pem" 2>/dev/null
  rm -f "$1.csr" "$1.ext"
}

issue kafka broker DNS:kafka,DNS:localhost,IP:127.0.0.1
# Kafka reads key and certificate from one file.
[ -s broker.pem ] || cat kafka.key kafka.pem > broker.pem
issue elasticsearch elasticsearch DNS:elasticsearch,DNS:localhost,IP:127.0.0.1
issue admin admin DNS:admin
for role in $roles; do
  # Of these only the console is looked at by name, from this machine.
  issue "$role" "opsonin-$role" "DNS:opsonin-$role,DNS:localhost,IP:127.0.0.1"
done
for name in elastic_password kibana_password webhook_token web_token; do
  [ -s "$name" ] || openssl rand -hex 32 > "$name"
done

# Compose mounts files as they are: each must belong to the user of the container that reads it.
if [ "$(id -u)" = 0 ]; then
  chown 1000 broker.pem elasticsearch.pem elasticsearch.key elastic_password kibana_password
  chown 64646 admin.pem admin.key webhook_token web_token
  for role in $roles; do chown 64646 "$role.pem" "$role.key"; done
else
  echo "run by root it would also give each file to its container's user (1000 and 64646)" >&2
fi
echo "secrets are in $folder; keep ca.key elsewhere" >&2
