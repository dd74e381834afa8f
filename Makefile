# Tests that take minutes and need more than Go. Everything else is .ci/run.

# Two servers on a PostgreSQL cluster of three nodes whose primary is taken away.
.PHONY: ha
ha:
	@missing=; for p in patroni patronictl etcd; do command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing initdb"; \
	if [ -n "$$missing" ]; then echo "missing:$$missing; on Debian: apt-get install --no-install-recommends postgresql patroni python3-etcd etcd-server" >&2; exit 1; fi
	GATELODGE_HA=1 go test -count=1 -timeout 20m -v ./internal/hatest
