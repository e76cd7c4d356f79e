BEGIN TRANSACTION;
CREATE TABLE annotations (
	id VARCHAR NOT NULL, 
	identifier TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	annotation_type TEXT NOT NULL, 
	resource_id VARCHAR NOT NULL, 
	created_by TEXT, 
	annotation_worklist_id VARCHAR, 
	status TEXT NOT NULL, 
	frame_index INTEGER, 
	text_value TEXT, 
	numeric_value FLOAT, 
	units TEXT, 
	geometry TEXT, 
	old_geometry TEXT, 
	created_at TEXT NOT NULL, 
	approved_at TEXT, 
	approved_by TEXT, 
	associated_file TEXT, 
	file TEXT, 
	deleted BOOLEAN NOT NULL, 
	deleted_at TEXT, 
	deleted_by TEXT, 
	created_by_model TEXT, 
	source TEXT, 
	imported_from TEXT, 
	import_author TEXT, 
	sha256 TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(resource_id) REFERENCES resources (id), 
	FOREIGN KEY(annotation_worklist_id) REFERENCES worklists (id)
);
INSERT INTO "annotations" VALUES('34804e3d-22bb-4707-a298-cfba463124c0','benign','image','label','b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','ana@localhost',NULL,'new',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-26T11:22:15.256471Z',NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,'imported',NULL,NULL,NULL,4);
CREATE TABLE parts (
	resource_id VARCHAR NOT NULL, 
	"index" INTEGER NOT NULL, 
	filename TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 TEXT NOT NULL, 
	linked_path TEXT, 
	mtime_ns BIGINT, 
	PRIMARY KEY (resource_id, "index"), 
	FOREIGN KEY(resource_id) REFERENCES resources (id)
);
INSERT INTO "parts" VALUES('b4f6ade2-b4c5-43b9-9e40-b37beb0103d4',0,'nih_00000001_000.png',182547,'c8cbe59e6b9b186060dc68e63965658fa6b5b3ada6648d25c189b8b69b43cd4c',NULL,NULL);
CREATE TABLE project_resources (
	project_id VARCHAR NOT NULL, 
	resource_id VARCHAR NOT NULL, 
	added_at TEXT NOT NULL, 
	added_by TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (project_id, resource_id), 
	FOREIGN KEY(project_id) REFERENCES projects (id), 
	FOREIGN KEY(resource_id) REFERENCES resources (id)
);
INSERT INTO "project_resources" VALUES('9250a99f-6bbc-42f1-9c28-df90eb4602f5','b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','2026-11-26T11:22:15.230476Z','ana@localhost',3);
CREATE TABLE projects (
	id VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT, 
	created_at TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	dataset_id TEXT NOT NULL, 
	worklist_id TEXT, 
	archived BOOLEAN NOT NULL, 
	most_recent_experiment TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "projects" VALUES('9250a99f-6bbc-42f1-9c28-df90eb4602f5','old','','2026-11-26T11:22:15.225738Z','ana@localhost','270e3316-cd0b-4461-aac0-bc06fdd0eee0','c4243b52-b614-4895-a41e-7c55526ca93f',0,NULL,6);
INSERT INTO "projects" VALUES('76e04f88-31a2-433a-8fe3-680af0e96e09','older','','2026-11-26T11:22:15.279555Z','ana@localhost','1ce7814f-52f0-4b5c-9912-3ecd349fda12','4eb43c6c-12af-412c-a7bb-67ac4f9a48b2',1,NULL,8);
CREATE TABLE resource_tags (
	resource_id VARCHAR NOT NULL, 
	tag VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (resource_id, tag), 
	FOREIGN KEY(resource_id) REFERENCES resources (id)
);
INSERT INTO "resource_tags" VALUES('b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','t',0);
CREATE TABLE resources (
	id VARCHAR NOT NULL, 
	resource_uri TEXT NOT NULL, 
	storage TEXT NOT NULL, 
	location TEXT NOT NULL, 
	filename TEXT NOT NULL, 
	mimetype TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	upload_channel TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	published BOOLEAN NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	size BIGINT NOT NULL, 
	modality TEXT, 
	upload_mechanism TEXT, 
	source_filepath TEXT, 
	published_on TEXT, 
	published_by TEXT, 
	deleted_at TEXT, 
	deleted_by TEXT, 
	instance_uid TEXT, 
	series_uid TEXT, 
	study_uid TEXT, 
	patient_id TEXT, 
	metadata TEXT NOT NULL, 
	sha256 TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "resources" VALUES('b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','/resources/b4f6ade2-b4c5-43b9-9e40-b37beb0103d4/file','ImageResource','resources/b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','nih_00000001_000.png','image/png','published','2026-11-26T11:22:15.216216Z','ana@localhost','default','6a441aa9-7c07-4965-8671-5303cf5c5eea',1,0,182547,NULL,'api','nih_00000001_000.png','2026-11-26T11:22:15.235691Z','ana@localhost',NULL,NULL,NULL,NULL,NULL,NULL,'{"frame_count":1,"width":512,"height":512,"channel_count":1,"kind":"image","format":"raster","mimetype":"image/png","shape":[1,512,512],"dtype":"uint8","affine":null,"spacing":null,"plane_origins":null,"irregularity":null,"units":null,"header":{"bits":8,"exif_orientation":1}}','c8cbe59e6b9b186060dc68e63965658fa6b5b3ada6648d25c189b8b69b43cd4c',6);
CREATE TABLE splits (
	id VARCHAR NOT NULL, 
	split_name TEXT NOT NULL, 
	project_id VARCHAR NOT NULL, 
	resource_id VARCHAR NOT NULL, 
	created_at TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	deleted_at TEXT, 
	deleted_by TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES projects (id), 
	FOREIGN KEY(resource_id) REFERENCES resources (id)
);
INSERT INTO "splits" VALUES('ab8436e1-6546-4417-9369-619578ec898a','train','9250a99f-6bbc-42f1-9c28-df90eb4602f5','b4f6ade2-b4c5-43b9-9e40-b37beb0103d4','2026-11-26T11:22:15.268715Z','ana@localhost',NULL,NULL,5);
CREATE TABLE store_meta (
	id INTEGER NOT NULL, 
	store_id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	last_stamp TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "store_meta" VALUES(1,'6a441aa9-7c07-4965-8671-5303cf5c5eea','ana@localhost','2026-11-26T11:22:15.287269Z',8);
CREATE TABLE users (
	email VARCHAR NOT NULL, 
	firstname TEXT, 
	lastname TEXT, 
	roles TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (email)
);
INSERT INTO "users" VALUES('ana@localhost',NULL,NULL,'["admin"]','6a441aa9-7c07-4965-8671-5303cf5c5eea','2026-11-26T11:22:14.811642Z',1);
CREATE TABLE work_statuses (
	project_id VARCHAR NOT NULL, 
	resource_id VARCHAR NOT NULL, 
	user_id VARCHAR NOT NULL, 
	status TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (project_id, resource_id, user_id), 
	FOREIGN KEY(project_id) REFERENCES projects (id), 
	FOREIGN KEY(resource_id) REFERENCES resources (id)
);
CREATE TABLE worklists (
	id VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	segmentation_type TEXT NOT NULL, 
	description TEXT, 
	project_id VARCHAR, 
	resource_ids TEXT NOT NULL, 
	annotators TEXT NOT NULL, 
	annotations TEXT NOT NULL, 
	segmentation_group TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (project_id, name), 
	FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "worklists" VALUES('c4243b52-b614-4895-a41e-7c55526ca93f','Default','new','ana@localhost','2026-11-26T11:22:15.227054Z','single_label',NULL,'9250a99f-6bbc-42f1-9c28-df90eb4602f5','[]','[]','[]','{}',3);
INSERT INTO "worklists" VALUES('4eb43c6c-12af-412c-a7bb-67ac4f9a48b2','Default','new','ana@localhost','2026-11-26T11:22:15.287269Z','single_label',NULL,'76e04f88-31a2-433a-8fe3-680af0e96e09','[]','[]','[]','{}',7);
CREATE INDEX resources_by_time ON resources (created_at);
CREATE INDEX resource_tags_by_tag ON resource_tags (tag);
CREATE INDEX project_resources_by_resource ON project_resources (resource_id);
CREATE UNIQUE INDEX one_open_split ON splits (project_id, resource_id) WHERE deleted_at IS NULL;
CREATE INDEX splits_by_project ON splits (project_id, created_at);
CREATE INDEX annotations_by_resource ON annotations (resource_id, created_at);
COMMIT;
