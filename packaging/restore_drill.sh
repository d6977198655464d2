#!/bin/sh
# Restore drill: brings the newest backup into a new folder, makes lake and warehouse again, and compares with the house.
#   packaging/restore_drill.sh DATA VAULT NEW_FOLDER
# ANTAWASI_HOME is the house to compare with; nothing in it is changed. Ends with 0 when all is the same. NEW_FOLDER then
# holds a vault: delete it.
set -eu
[ $# -eq 3 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
data=$1 sealed=$2 new=$3 house=${ANTAWASI_HOME:?is the house to compare with}
[ ! -e "$new" ] || { echo "$new exists. What to do: name a folder that does not." >&2; exit 2; }
ANTAWASI=${ANTAWASI:-antawasi}
id=$(cd "$sealed" && for card in *Z/backup.json; do dirname "$card"; done | sort | tail -n 1)
echo "backup $id"
(cd "$data/$id" && sha256sum --check --quiet SHA256SUMS)
(cd "$sealed/$id" && sha256sum --check --quiet SHA256SUMS)
umask 077
mkdir -p "$new"
export ANTAWASI_HOME="$new"
unset DAGSTER_HOME
$ANTAWASI restore "$data/$id" "$sealed/$id"
$ANTAWASI run > "$new/run.log" || [ $? -eq 3 ] # 3: some file was refused, as it was before
(cd "$new/releases/latest" && sha256sum --check --quiet SHA256SUMS)
failed=0
# The copy's name is a digest of all that it was made of: lake files, key, models, contracts.
before=$(readlink "$house/warehouse/antawasi.duckdb") after=$(readlink "$new/warehouse/antawasi.duckdb")
[ "$before" = "$after" ] || { echo "warehouse: $before in the house, $after restored"; failed=1; }
before=$(readlink "$house/releases/latest") after=$(readlink "$new/releases/latest")
[ "$before" = "$after" ] || { echo "release: $before in the house, $after restored"; failed=1; }
cmp -s "$house/releases/latest/SHA256SUMS" "$new/releases/latest/SHA256SUMS" || { echo "the release's files differ"; failed=1; }
if [ $failed -ne 0 ]; then
    echo "What to do: if the house took in files since $id, back up and try again; else keep $new and find out why." >&2
    exit 1
fi
echo "The restored house is the same: $after"
