/* SPDX-License-Identifier: Apache-2.0 */
/* kms_store.h over SQLite. */
#include "sim/kms_store/kms_store.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define DESCRIPTION_LIMIT (64u << 10)
#define POLICY_LIMIT      (64u << 10)
#define CREDENTIAL_LIMIT  (8u << 10)

struct kms_store {
    sqlite3 *db;
};

#define SCHEMA_VERSION 2

/* What version 1 lacks: every key was symmetric. */
static const char upgrade[] = "BEGIN IMMEDIATE;"
                              "ALTER TABLE key ADD COLUMN spec INTEGER NOT NULL DEFAULT 0;"
                              "PRAGMA user_version = 2;"
                              "COMMIT;";

/* Version 2. secure_delete: what is removed does not stay readable in free pages. */
static const char schema[] =
    "PRAGMA secure_delete = ON;"
    "PRAGMA busy_timeout = 5000;"
    "PRAGMA foreign_keys = ON;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS key ("
    " id TEXT PRIMARY KEY, arn TEXT NOT NULL UNIQUE, created_us INTEGER NOT NULL,"
    " enabled INTEGER NOT NULL, backing BLOB NOT NULL, description TEXT NOT NULL,"
    " policy TEXT NOT NULL, spec INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS alias ("
    " name TEXT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES key(id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS credential ("
    " access_key_id TEXT PRIMARY KEY, secret_access_key TEXT NOT NULL, session_token TEXT NOT NULL,"
    " expires_us INTEGER NOT NULL, principal TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS session ("
    " access_key_id TEXT PRIMARY KEY, secret_access_key TEXT NOT NULL, session_token TEXT NOT NULL,"
    " expires_us INTEGER NOT NULL, principal TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

void kms_key_init(struct kms_key *key)
{
    memset(key, 0, sizeof *key);
    buffer_init_secret(&key->backing, KMS_BACKING_MAX);
    buffer_init(&key->description, DESCRIPTION_LIMIT);
    buffer_init(&key->policy, POLICY_LIMIT);
}

void kms_key_clear(struct kms_key *key)
{
    buffer_clear(&key->backing);
    buffer_clear(&key->description);
    buffer_clear(&key->policy);
}

void kms_credential_init(struct kms_credential *credential)
{
    memset(credential, 0, sizeof *credential);
    credential->expires_us = INT64_MAX;
    buffer_init(&credential->secret_access_key, CREDENTIAL_LIMIT);
    buffer_init(&credential->session_token, CREDENTIAL_LIMIT);
}

void kms_credential_clear(struct kms_credential *credential)
{
    buffer_clear(&credential->secret_access_key);
    buffer_clear(&credential->session_token);
}

/* Creates the file with mode 0600, which SQLite would leave to the umask, or checks its mode. */
static bool check_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot open the database %s", path);
    struct stat st;
    bool ok = fstat(fd, &st) == 0;
    close(fd);
    if (!ok)
        return error_set_errno(err, ERROR_SYSTEM, "cannot examine the database %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_CONFIG, "the database %s is not a regular file", path);
    if ((st.st_mode & 077) != 0)
        return error_set(
            err, ERROR_CONFIG,
            "the database %s contains keys, and others must not be able to read it: chmod 600",
            path);
    return true;
}

static int schema_version(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return version;
}

static bool prepare_schema(sqlite3 *db, int version)
{
    return (version != 1 || sqlite3_exec(db, upgrade, NULL, NULL, NULL) == SQLITE_OK) &&
           sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK;
}

struct kms_store *kms_store_open(const char *path, struct error *err)
{
    if (!check_file(path, err))
        return NULL;
    struct kms_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for the database");
        return NULL;
    }
    int rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
    int version = rc == SQLITE_OK ? schema_version(store->db) : -1;
    if (version > SCHEMA_VERSION) {
        error_set(err, ERROR_CONFIG, "the database %s was made by a newer version (schema %d)",
                  path, version);
    } else if (version < 0 || !prepare_schema(store->db, version)) {
        error_set(err, ERROR_SYSTEM, "cannot use the database %s: %s", path,
                  store->db != NULL ? sqlite3_errmsg(store->db) : "no memory");
    } else {
        return store;
    }
    kms_store_close(store);
    return NULL;
}

void kms_store_close(struct kms_store *store)
{
    if (store == NULL)
        return;
    sqlite3_close(store->db);
    free(store);
}

static enum store_result failed(struct kms_store *store)
{
    log_error("database: %s", sqlite3_errmsg(store->db));
    return STORE_FAILED;
}

/* NULL on failure. Binding to NULL does nothing and running NULL fails, so callers check once. */
static sqlite3_stmt *prepare(struct kms_store *store, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return NULL;
    return stmt;
}

/* Values outlive the statement, so SQLite need not copy them (SQLITE_STATIC). */
static void bind_text(sqlite3_stmt *stmt, int at, struct bytes text)
{
    if (stmt != NULL)
        sqlite3_bind_text64(stmt, at, text.len > 0 ? (const char *)text.at : "", text.len,
                            SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_blob(sqlite3_stmt *stmt, int at, struct bytes blob)
{
    if (stmt != NULL)
        sqlite3_bind_blob64(stmt, at, blob.len > 0 ? (const void *)blob.at : "", blob.len,
                            SQLITE_STATIC);
}

static void bind_integer(sqlite3_stmt *stmt, int at, int64_t value)
{
    if (stmt != NULL)
        sqlite3_bind_int64(stmt, at, value);
}

/* Runs a statement that changes something, and frees it. */
static enum store_result run(struct kms_store *store, sqlite3_stmt *stmt)
{
    if (stmt == NULL)
        return failed(store);
    int rc = sqlite3_step(stmt);
    enum store_result result = STORE_OK;
    if (rc == SQLITE_CONSTRAINT)
        result = STORE_EXISTS;
    else if (rc != SQLITE_DONE)
        result = failed(store);
    else if (sqlite3_changes(store->db) == 0)
        result = STORE_ABSENT;
    sqlite3_finalize(stmt);
    return result;
}

/* Steps to the one row of a query. The caller frees stmt in any case. */
static enum store_result fetch(struct kms_store *store, sqlite3_stmt *stmt)
{
    if (stmt == NULL)
        return failed(store);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE)
        return STORE_ABSENT;
    return rc == SQLITE_ROW ? STORE_OK : failed(store);
}

static struct bytes column(sqlite3_stmt *stmt, int at)
{
    const void *value = sqlite3_column_blob(stmt, at);
    int len = sqlite3_column_bytes(stmt, at);
    return bytes_of(value, value != NULL && len > 0 ? (size_t)len : 0);
}

static bool column_to_text(sqlite3_stmt *stmt, int at, char *out, size_t size)
{
    struct bytes value = column(stmt, at);
    if (value.len >= size)
        return false;
    if (value.len > 0)
        memcpy(out, value.at, value.len);
    out[value.len] = '\0';
    return true;
}

static bool column_to_buffer(sqlite3_stmt *stmt, int at, struct buffer *out)
{
    buffer_reset(out);
    buffer_append(out, column(stmt, at));
    return !out->failed;
}

enum store_result kms_store_get(struct kms_store *store, const char *name, struct buffer *value)
{
    sqlite3_stmt *stmt = prepare(store, "SELECT value FROM setting WHERE name = ?1");
    bind_text(stmt, 1, bytes_text(name));
    enum store_result result = fetch(store, stmt);
    if (result == STORE_OK && !column_to_buffer(stmt, 0, value))
        result = STORE_FAILED;
    sqlite3_finalize(stmt);
    return result;
}

enum store_result kms_store_put(struct kms_store *store, const char *name, struct bytes value)
{
    sqlite3_stmt *stmt = prepare(store, "INSERT OR REPLACE INTO setting VALUES (?1, ?2)");
    bind_text(stmt, 1, bytes_text(name));
    bind_blob(stmt, 2, value);
    return run(store, stmt);
}

enum store_result kms_store_key_add(struct kms_store *store, const struct kms_key *key)
{
    sqlite3_stmt *stmt = prepare(
        store, "INSERT INTO key (id, arn, created_us, enabled, backing, description, policy, spec)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    bind_text(stmt, 1, bytes_text(key->id));
    bind_text(stmt, 2, bytes_text(key->arn));
    bind_integer(stmt, 3, key->created_us);
    bind_integer(stmt, 4, key->enabled ? 1 : 0);
    bind_blob(stmt, 5, buffer_bytes(&key->backing));
    bind_text(stmt, 6, buffer_bytes(&key->description));
    bind_text(stmt, 7, buffer_bytes(&key->policy));
    bind_integer(stmt, 8, key->spec);
    return run(store, stmt);
}

static bool read_key(sqlite3_stmt *stmt, struct kms_key *key)
{
    int spec = sqlite3_column_int(stmt, 7);
    if (spec != KMS_SYMMETRIC_DEFAULT && spec != KMS_ECC_NIST_P384)
        return false;
    key->spec = (enum kms_spec)spec;
    if (spec == KMS_SYMMETRIC_DEFAULT && column(stmt, 4).len != KMS_BACKING_SIZE)
        return false;
    key->created_us = sqlite3_column_int64(stmt, 2);
    key->enabled = sqlite3_column_int(stmt, 3) != 0;
    return column_to_text(stmt, 0, key->id, sizeof key->id) &&
           column_to_text(stmt, 1, key->arn, sizeof key->arn) &&
           column_to_buffer(stmt, 4, &key->backing) &&
           column_to_buffer(stmt, 5, &key->description) && column_to_buffer(stmt, 6, &key->policy);
}

enum store_result kms_store_key_find(struct kms_store *store, const char *id, struct kms_key *key)
{
    sqlite3_stmt *stmt =
        prepare(store, "SELECT id, arn, created_us, enabled, backing, description, policy, spec"
                       " FROM key WHERE id = ?1");
    bind_text(stmt, 1, bytes_text(id));
    enum store_result result = fetch(store, stmt);
    if (result == STORE_OK && !read_key(stmt, key))
        result = STORE_FAILED;
    sqlite3_finalize(stmt);
    return result;
}

enum store_result kms_store_key_set_policy(struct kms_store *store, const char *id,
                                           struct bytes policy)
{
    sqlite3_stmt *stmt = prepare(store, "UPDATE key SET policy = ?2 WHERE id = ?1");
    bind_text(stmt, 1, bytes_text(id));
    bind_text(stmt, 2, policy);
    return run(store, stmt);
}

enum store_result kms_store_key_set_enabled(struct kms_store *store, const char *id, bool enabled)
{
    sqlite3_stmt *stmt = prepare(store, "UPDATE key SET enabled = ?2 WHERE id = ?1");
    bind_text(stmt, 1, bytes_text(id));
    bind_integer(stmt, 2, enabled ? 1 : 0);
    return run(store, stmt);
}

enum store_result kms_store_alias_add(struct kms_store *store, const char *name, const char *key_id)
{
    sqlite3_stmt *stmt = prepare(store, "INSERT INTO alias (name, key_id) VALUES (?1, ?2)");
    bind_text(stmt, 1, bytes_text(name));
    bind_text(stmt, 2, bytes_text(key_id));
    return run(store, stmt);
}

enum store_result kms_store_alias_find(struct kms_store *store, const char *name,
                                       char key_id[KMS_ID_SIZE])
{
    sqlite3_stmt *stmt = prepare(store, "SELECT key_id FROM alias WHERE name = ?1");
    bind_text(stmt, 1, bytes_text(name));
    enum store_result result = fetch(store, stmt);
    if (result == STORE_OK && !column_to_text(stmt, 0, key_id, KMS_ID_SIZE))
        result = STORE_FAILED;
    sqlite3_finalize(stmt);
    return result;
}

bool kms_store_begin(struct kms_store *store)
{
    return sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

bool kms_store_end(struct kms_store *store, bool commit)
{
    if (commit && sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return !commit;
}

enum store_result kms_store_credentials_remove_all(struct kms_store *store)
{
    enum store_result result = run(store, prepare(store, "DELETE FROM credential"));
    return result == STORE_ABSENT ? STORE_OK : result;
}

/* Runs an INSERT of the columns that a credential and a session have. */
static enum store_result insert(struct kms_store *store, const char *sql,
                                const struct kms_credential *credential)
{
    sqlite3_stmt *stmt = prepare(store, sql);
    bind_text(stmt, 1, bytes_text(credential->access_key_id));
    bind_text(stmt, 2, buffer_bytes(&credential->secret_access_key));
    bind_text(stmt, 3, buffer_bytes(&credential->session_token));
    bind_integer(stmt, 4, credential->expires_us);
    bind_text(stmt, 5, bytes_text(credential->principal));
    return run(store, stmt);
}

enum store_result kms_store_credential_add(struct kms_store *store,
                                           const struct kms_credential *credential)
{
    return insert(store,
                  "INSERT INTO credential (access_key_id, secret_access_key, session_token,"
                  " expires_us, principal) VALUES (?1, ?2, ?3, ?4, ?5)",
                  credential);
}

enum store_result kms_store_session_add(struct kms_store *store,
                                        const struct kms_credential *session, int64_t forget_us)
{
    sqlite3_stmt *old = prepare(store, "DELETE FROM session WHERE expires_us < ?1");
    bind_integer(old, 1, forget_us);
    enum store_result result = run(store, old);
    if (result == STORE_FAILED)
        return result;
    return insert(store,
                  "INSERT INTO session (access_key_id, secret_access_key, session_token,"
                  " expires_us, principal) VALUES (?1, ?2, ?3, ?4, ?5)",
                  session);
}

enum store_result kms_store_credential_find(struct kms_store *store, struct bytes access_key_id,
                                            struct kms_credential *credential)
{
    sqlite3_stmt *stmt = prepare(store, "SELECT access_key_id, secret_access_key, session_token,"
                                        " expires_us, principal FROM credential"
                                        " WHERE access_key_id = ?1 UNION ALL"
                                        " SELECT access_key_id, secret_access_key, session_token,"
                                        " expires_us, principal FROM session"
                                        " WHERE access_key_id = ?1");
    bind_text(stmt, 1, access_key_id);
    enum store_result result = fetch(store, stmt);
    if (result == STORE_OK) {
        credential->expires_us = sqlite3_column_int64(stmt, 3);
        if (!column_to_text(stmt, 0, credential->access_key_id, sizeof credential->access_key_id) ||
            !column_to_buffer(stmt, 1, &credential->secret_access_key) ||
            !column_to_buffer(stmt, 2, &credential->session_token) ||
            !column_to_text(stmt, 4, credential->principal, sizeof credential->principal))
            result = STORE_FAILED;
    }
    sqlite3_finalize(stmt);
    return result;
}
