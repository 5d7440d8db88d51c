internal import GRDB

// The file's schema. A migration that was released is never changed, another one follows it.
extension SQLiteStore {
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(sql: "PRAGMA application_id = \(SQLiteStore.applicationID)")
            try db.execute(
                sql: """
                    CREATE TABLE state (
                        revision INTEGER NOT NULL,
                        compacted INTEGER NOT NULL  -- deletions up to this one are forgotten
                    ) STRICT;
                    INSERT INTO state VALUES (0, 0);

                    CREATE TABLE account (
                        key TEXT PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        name TEXT NOT NULL UNIQUE,
                        role TEXT NOT NULL,
                        maximum_tunnels INTEGER NOT NULL,
                        suffixes TEXT NOT NULL,     -- separated by spaces
                        created_at INTEGER NOT NULL -- milliseconds since 1970, here and below
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE tunnel (
                        key TEXT PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        owner TEXT NOT NULL,
                        name TEXT NOT NULL,
                        created_at INTEGER NOT NULL,
                        UNIQUE (owner, name)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE key (
                        key BLOB PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        tunnel TEXT NOT NULL,
                        label TEXT NOT NULL,
                        hostnames TEXT,             -- separated by spaces; NULL is all
                        expires_at INTEGER,
                        created_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE token (
                        key TEXT PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        account TEXT NOT NULL,
                        purpose TEXT NOT NULL,
                        secret_hash BLOB NOT NULL,
                        label TEXT NOT NULL,
                        expires_at INTEGER,
                        created_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE hostname (
                        key TEXT PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        tunnel TEXT NOT NULL,
                        created_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE configuration (
                        key TEXT PRIMARY KEY,
                        revision INTEGER NOT NULL,
                        version INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        changed_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE tombstone (
                        kind TEXT NOT NULL,
                        key ANY NOT NULL,
                        revision INTEGER NOT NULL,
                        PRIMARY KEY (kind, key)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX tombstone_revision ON tombstone (revision);

                    CREATE TABLE audit (
                        revision INTEGER PRIMARY KEY,
                        at INTEGER NOT NULL,
                        actor TEXT NOT NULL,
                        action TEXT NOT NULL,
                        subject TEXT NOT NULL,
                        details TEXT NOT NULL       -- a JSON object of strings
                    ) STRICT;
                    """
            )
            for kind in StoreKey.Kind.allCases {
                let table = kind.rawValue
                try db.execute(sql: "CREATE INDEX \(table)_revision ON \(table) (revision)")
            }
        }
        migrator.registerMigration("2-balance") { db in
            try db.execute(
                sql: """
                    ALTER TABLE hostname ADD COLUMN balance TEXT NOT NULL DEFAULT 'least-requests'
                    """
            )
        }
        migrator.registerMigration("3-session-use") { db in
            // Of sessions from before nobody knows when they were used: they count from now.
            try db.execute(
                sql: """
                    ALTER TABLE token ADD COLUMN used_at INTEGER; -- NULL is not since it was made
                    UPDATE token SET
                        used_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000,
                        expires_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000 + 31536000000
                        WHERE purpose = 'session' AND expires_at IS NULL;
                    """
            )
        }
        migrator.registerMigration("4-hostname-quota") { db in
            try db.execute(
                sql: "ALTER TABLE account ADD COLUMN maximum_hostnames INTEGER NOT NULL DEFAULT 100"
            )
        }
        migrator.registerMigration("5-audit-names") { db in
            // Of entries from before the name is that of the account, if it is still there.
            try db.execute(
                sql: """
                    ALTER TABLE audit ADD COLUMN actor_name TEXT;
                    UPDATE audit SET
                        actor_name = (SELECT name FROM account WHERE account.key = audit.actor);
                    """
            )
        }
        return migrator
    }()

    static func migrate(_ database: DatabasePool) throws { try Self.migrator.migrate(database) }
}
