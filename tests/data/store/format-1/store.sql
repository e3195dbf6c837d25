BEGIN TRANSACTION;
CREATE TABLE arrival (hour INTEGER PRIMARY KEY, last_row INTEGER NOT NULL);
INSERT INTO "arrival" VALUES(0,1);
CREATE TABLE dead_letter (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time_us INTEGER NOT NULL, json TEXT NOT NULL);
INSERT INTO "dead_letter" VALUES(1,'d1',1767268800000000,'{"kind":"dead_letter","id":"d1","time":"2026-01-01T12:00:00Z","stage":"ingest","source":"s","adapter":"a","reason":"r","raw":"_w==","size_bytes":1,"truncated":false}');
CREATE TABLE decision_history (
    id TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (id, revision)
) WITHOUT ROWID;
CREATE TABLE event (time_us INTEGER NOT NULL, id TEXT NOT NULL, json BLOB NOT NULL);
INSERT INTO "event" VALUES(1,'e1',X'7B226E223A317D');
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('format',1);
INSERT INTO "meta" VALUES('watermark_us',42);
CREATE TABLE position (source TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "position" VALUES('in',X'7B226174223A377D');
CREATE TABLE record (
    kind TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, time_us INTEGER NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
INSERT INTO "record" VALUES('alert','a1',1,1767268800000000,'{"kind":"alert","id":"a1","revision":1,"rule":{"id":"r","name":"R","level":"low"},"time":"2026-01-01T12:00:00Z","last":"2026-01-01T12:00:00Z","events":["e1"],"event_count":1,"entities":[],"tactics":[],"techniques":[],"fields":{},"retracted":false}');
CREATE TABLE state (
    stage TEXT NOT NULL, key TEXT NOT NULL, part TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (stage, key, part)
) WITHOUT ROWID;
INSERT INTO "state" VALUES('s','k','p',X'7B7D');
CREATE UNIQUE INDEX event_key ON event (time_us, id);
CREATE INDEX record_time ON record (kind, time_us);
COMMIT;
