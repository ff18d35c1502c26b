#!/bin/sh
# After the files are gone. A removal asks nothing and keeps every passkey; a purge, which
# dpkg alone has, says what it deletes. What is in homes is never touched.
set -e

stores=${DPKG_ROOT:-}/var/lib/localpasskey

# count prints how many stores there are.
count() { find "$stores" -type f -name '*.db' 2>/dev/null | wc -l; }

case "$1" in
  remove | 0)
    if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
      systemctl daemon-reload || true
    fi
    if [ -d "$stores" ]; then
      echo "LocalPasskey is removed. Its passkeys stay: stores in $stores: $(count). They work again once it is installed on this machine."
    fi
    ;;
  purge)
    if [ "$(count)" -gt 0 ]; then
      echo "LocalPasskey: deleting $stores with the passkeys of every user (stores: $(count)). No one can bring them back."
    fi
    rm -rf "$stores"
    echo "LocalPasskey: not deleted are stores that users made by themselves (~/.local/share/localpasskey), the system user localpasskey, and, in the TPM, an index of 8 bytes for each store, which opens nothing any more."
    echo "LocalPasskey: the indices are among those from 0x1810000 to 0x181ffff: tpm2_getcap handles-nv-index lists them, tpm2_nvreadpublic shows nt=pinfail and 8 bytes, tpm2_nvundefine -C o HANDLE removes one. Other programs may have their own there."
    ;;
esac
