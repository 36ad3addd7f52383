BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE cells (
	id INTEGER NOT NULL, 
	slide INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	box TEXT, 
	predicted TEXT NOT NULL, 
	probability FLOAT, 
	is_doubtful BOOLEAN, 
	details TEXT NOT NULL, 
	image_sha256 TEXT, 
	bundle_sha256 TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(slide) REFERENCES slides (id), 
	UNIQUE (name)
);
INSERT INTO "cells" VALUES(1,1,'SNE-0.png','SNE-0.png',NULL,'SNE',0.9,0,'{"probs": {"SNE": 0.9, "LY": 0.025, "MO": 0.025, "BL": 0.025, "ERB": 0.025}, "set": ["SNE"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(2,1,'LY-1.png','LY-1.png',NULL,'LY',0.4,1,'{"probs": {"SNE": 0.15, "LY": 0.4, "MO": 0.15, "BL": 0.15, "ERB": 0.15}, "set": ["LY", "MO"], "evidence": [{"code": "low_probability", "text": "probability 0.40 < 0.5"}], "reasons": [{"code": "low_probability", "text": "probability 0.40 < 0.5"}], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(3,1,'MO-2.png','MO-2.png',NULL,'MO',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.9, "BL": 0.025, "ERB": 0.025}, "set": ["MO"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(4,1,'BL-3.png','BL-3.png',NULL,'BL',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.025, "BL": 0.9, "ERB": 0.025}, "set": ["BL"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(5,1,'ERB-4.png','ERB-4.png',NULL,'ERB',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.025, "BL": 0.025, "ERB": 0.9}, "set": ["ERB"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(6,1,'SNE-5.png','SNE-5.png',NULL,'SNE',0.9,0,'{"probs": {"SNE": 0.9, "LY": 0.025, "MO": 0.025, "BL": 0.025, "ERB": 0.025}, "set": ["SNE"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(7,1,'LY-6.png','LY-6.png',NULL,'LY',0.4,1,'{"probs": {"SNE": 0.15, "LY": 0.4, "MO": 0.15, "BL": 0.15, "ERB": 0.15}, "set": ["LY", "MO"], "evidence": [{"code": "low_probability", "text": "probability 0.40 < 0.5"}], "reasons": [{"code": "low_probability", "text": "probability 0.40 < 0.5"}], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(8,1,'MO-7.png','MO-7.png',NULL,'MO',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.9, "BL": 0.025, "ERB": 0.025}, "set": ["MO"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(9,1,'BL-8.png','BL-8.png',NULL,'BL',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.025, "BL": 0.9, "ERB": 0.025}, "set": ["BL"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "cells" VALUES(10,1,'ERB-9.png','ERB-9.png',NULL,'ERB',0.9,0,'{"probs": {"SNE": 0.025, "LY": 0.025, "MO": 0.025, "BL": 0.025, "ERB": 0.9}, "set": ["ERB"], "outlier_percentile": 50.0, "site_shift": 0.3}',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
CREATE TABLE labels (
	cell INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	slide INTEGER NOT NULL, 
	label TEXT, 
	seq INTEGER NOT NULL, 
	reader TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (cell, role), 
	FOREIGN KEY(cell) REFERENCES cells (id), 
	FOREIGN KEY(slide) REFERENCES slides (id)
);
INSERT INTO "labels" VALUES(2,'first',1,'BL',8,'anna','2026-11-29T19:33:25.946+00:00');
INSERT INTO "labels" VALUES(7,'first',1,'ARTEFACT',7,'anna','2026-11-29T19:33:25.923+00:00');
CREATE TABLE log (
	seq INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	person TEXT NOT NULL, 
	slide INTEGER, 
	cell INTEGER, 
	client_id TEXT, 
	body TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (client_id)
);
INSERT INTO "log" VALUES(1,'2026-11-29T19:33:23.833+00:00','imported','local',NULL,NULL,NULL,'{"at":"2026-11-29T19:33:23.833+00:00","data":{"bundle_sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","cells_sha256":"78044fcba7f878d3a3d5bf33bc02c1a7082b132d0d29738d298f89a301e385cd","file":"cells.parquet","n_cells":10},"kind":"imported","person":"local","seq":1}','a5bfb5dfac6f47a7b0b37b5488b0e06ff08c597ee3d507310621b1a3f2a40e76');
INSERT INTO "log" VALUES(2,'2026-11-29T19:33:24.438+00:00','user_added','test',NULL,NULL,NULL,'{"at":"2026-11-29T19:33:24.438+00:00","data":{"name":"anna","roles":["reader","signer","admin"]},"kind":"user_added","person":"test","seq":2}','7be4fd335a1e0687244c2ad24a5564afbde576062aa91a0111aa28c938690207');
INSERT INTO "log" VALUES(3,'2026-11-29T19:33:25.380+00:00','login','anna',NULL,NULL,NULL,'{"at":"2026-11-29T19:33:25.380+00:00","data":{},"kind":"login","person":"anna","seq":3}','119b1e36820da0b2c211a1df17b8ddffd7ba74802e609ac62b590af6fba54fb1');
INSERT INTO "log" VALUES(4,'2026-11-29T19:33:25.456+00:00','token_added','anna',NULL,NULL,NULL,'{"at":"2026-11-29T19:33:25.456+00:00","data":{"name":"anna","purpose":"export"},"kind":"token_added","person":"anna","seq":4}','0a7b6b2b330ebc2ebc5309c666ae30e9ee6c12eac32615a6c666f44157ce5dab');
INSERT INTO "log" VALUES(5,'2026-11-29T19:33:25.495+00:00','taken','anna',1,NULL,NULL,'{"at":"2026-11-29T19:33:25.495+00:00","data":{"role":"first"},"kind":"taken","person":"anna","seq":5,"slide":1}','14c9c7ae78294982a83ad43dad824bea4750bbb6bc368d72cc6c0bcbc75f577e');
INSERT INTO "log" VALUES(6,'2026-11-29T19:33:25.885+00:00','decided','anna',1,2,'decision-1','{"at":"2026-11-29T19:33:25.885+00:00","cell":2,"client_id":"decision-1","data":{"bundle_sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","label":"MO","name":"LY-1.png","predicted":"LY","replaces":null,"role":"first"},"kind":"decided","person":"anna","seq":6,"slide":1}','1e660ca39f412d75df0a5623181ca7d6995de2f768711cf507ee35e31be7b6a4');
INSERT INTO "log" VALUES(7,'2026-11-29T19:33:25.923+00:00','decided','anna',1,7,'decision-2','{"at":"2026-11-29T19:33:25.923+00:00","cell":7,"client_id":"decision-2","data":{"bundle_sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","label":"ARTEFACT","name":"LY-6.png","predicted":"LY","replaces":null,"role":"first"},"kind":"decided","person":"anna","seq":7,"slide":1}','43342743ca25895fc779fba0dcdf8029f14a79e63f6ed27b75eed7d59bc755b8');
INSERT INTO "log" VALUES(8,'2026-11-29T19:33:25.946+00:00','decided','anna',1,2,'decision-3','{"at":"2026-11-29T19:33:25.946+00:00","cell":2,"client_id":"decision-3","data":{"bundle_sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","label":"BL","name":"LY-1.png","predicted":"LY","replaces":6,"role":"first"},"kind":"decided","person":"anna","seq":8,"slide":1}','e52f67b2e862b24e2934c2d8dc091b9d25dfc675b48b0f3a29b7bfd380419562');
INSERT INTO "log" VALUES(9,'2026-11-29T19:33:25.981+00:00','finished','anna',1,NULL,NULL,'{"at":"2026-11-29T19:33:25.981+00:00","data":{"n_cells":10,"n_decided":2,"role":"first"},"kind":"finished","person":"anna","seq":9,"slide":1}','7fd12de2e348eccb9b785b7af567b540d34361f35f95f2e65960e72e1e8d3c4a');
INSERT INTO "log" VALUES(10,'2026-11-29T19:33:26.021+00:00','wbc','anna',1,NULL,NULL,'{"at":"2026-11-29T19:33:26.021+00:00","data":{"wbc":7.5},"kind":"wbc","person":"anna","seq":10,"slide":1}','50e027d09bdd9059cad3e4aef68e51b209465c8ea277a0f9fc31392c797eee14');
INSERT INTO "log" VALUES(11,'2026-11-29T19:33:26.035+00:00','signed','anna',1,NULL,'signature-1','{"at":"2026-11-29T19:33:26.035+00:00","client_id":"signature-1","data":{"hash":"7a2f4e58a9970adf5e03f458cb536d0f31d386207dcc20ffd711dd54a60bd55d","version":1},"kind":"signed","person":"anna","seq":11,"slide":1}','29f060e5d67b37b3fb5be29f7f020cf5207d27864231a784de197efcd91b933e');
INSERT INTO "log" VALUES(12,'2026-11-29T19:33:26.064+00:00','amended','anna',1,NULL,'amendment-1','{"at":"2026-11-29T19:33:26.064+00:00","client_id":"amendment-1","data":{"reason":"mistaken","version":1},"kind":"amended","person":"anna","seq":12,"slide":1}','2d9e72a30acd6d158afe2023db7122d079b133531c10dceee17508e4deb9d8e0');
INSERT INTO "log" VALUES(13,'2026-11-29T19:33:26.065+00:00','reopened','anna',1,NULL,NULL,'{"at":"2026-11-29T19:33:26.065+00:00","data":{"role":"first"},"kind":"reopened","person":"anna","seq":13,"slide":1}','108f4d67c10a8a92a8b99ce05a959a9bcba218fbc6b9228e8461a7aaa130c078');
CREATE TABLE project (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	made_at TEXT NOT NULL, 
	taxonomy TEXT NOT NULL, 
	has_second_reader BOOLEAN NOT NULL, 
	secret TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "project" VALUES(1,'cells.parquet','2026-11-29T19:33:23.812+00:00','{"name": "blood", "classes": [{"code": "SNE", "name": "segmented neutrophil", "lineage": "granulocytic", "maturation": 5, "is_leukocyte": true, "aliases": ["seg neutrophil"]}, {"code": "LY", "name": "lymphocyte", "lineage": "lymphoid", "maturation": null, "is_leukocyte": true, "aliases": ["lymph", "lymp", "lympho", "LYM"]}, {"code": "MO", "name": "monocyte", "lineage": "monocytic", "maturation": null, "is_leukocyte": true, "aliases": ["mono", "MON"]}, {"code": "BL", "name": "blast", "lineage": "blast", "maturation": 0, "is_leukocyte": true, "aliases": ["myeloblast", "lymphoblast", "monoblast"]}, {"code": "EO", "name": "eosinophil", "lineage": "granulocytic", "maturation": null, "is_leukocyte": true, "aliases": ["eos", "eosi", "eosino"]}, {"code": "MY", "name": "myelocyte", "lineage": "granulocytic", "maturation": 2, "is_leukocyte": true, "aliases": []}, {"code": "BA", "name": "basophil", "lineage": "granulocytic", "maturation": null, "is_leukocyte": true, "aliases": ["bas", "baso"]}, {"code": "BNE", "name": "band neutrophil", "lineage": "granulocytic", "maturation": 4, "is_leukocyte": true, "aliases": ["band", "stab", "stab neutrophil", "rod neutrophil", "unsegmented neutrophil"]}, {"code": "VLY", "name": "variant lymphocyte", "lineage": "lymphoid", "maturation": null, "is_leukocyte": true, "aliases": ["atypical lymphocyte", "reactive lymphocyte"]}, {"code": "MMY", "name": "metamyelocyte", "lineage": "granulocytic", "maturation": 3, "is_leukocyte": true, "aliases": []}, {"code": "PMY", "name": "promyelocyte", "lineage": "granulocytic", "maturation": 1, "is_leukocyte": true, "aliases": []}, {"code": "PC", "name": "plasma cell", "lineage": "lymphoid", "maturation": null, "is_leukocyte": true, "aliases": ["plasmocyte", "plasmacyte"]}, {"code": "PLY", "name": "prolymphocyte", "lineage": "lymphoid", "maturation": null, "is_leukocyte": true, "aliases": []}, {"code": "ERB", "name": "erythroblast", "lineage": "erythroid", "maturation": null, "is_leukocyte": false, "aliases": ["normoblast", "NRBC", "nucleated red blood cell", "nucleated erythrocyte"]}], "groups": [{"code": "NE", "name": "neutrophil", "members": ["SNE", "BNE"], "aliases": ["neut", "neutro", "PMN"]}, {"code": "IG", "name": "immature granulocyte", "members": ["PMY", "MY", "MMY"], "aliases": ["immature granulocytes", "immature granulocytic cell"]}]}',0,'131bd2bc21da462fad8bf54cec006dbb6303e530950f1988de92be0e1d99a114');
CREATE TABLE readings (
	slide INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	reader TEXT, 
	is_finished BOOLEAN NOT NULL, 
	PRIMARY KEY (slide, role), 
	FOREIGN KEY(slide) REFERENCES slides (id)
);
INSERT INTO "readings" VALUES(1,'first','anna',0);
CREATE TABLE sessions (
	"key" TEXT NOT NULL, 
	person TEXT NOT NULL, 
	made_at FLOAT NOT NULL, 
	expires_at FLOAT NOT NULL, 
	PRIMARY KEY ("key"), 
	FOREIGN KEY(person) REFERENCES users (name)
);
INSERT INTO "sessions" VALUES('0bca444dc85f915d3bb745dcf14a5868d153da5b8391f2f5dfb004abe576078d','anna',1.79598080537931847574e+09,1.79602400537931847571e+09);
CREATE TABLE slides (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	patient TEXT, 
	version INTEGER NOT NULL, 
	is_open BOOLEAN NOT NULL, wbc FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "slides" VALUES(1,'smear 1','patient of smear 1',1,1,7.5);
CREATE TABLE tokens (
	"key" TEXT NOT NULL, 
	person TEXT NOT NULL, 
	name TEXT NOT NULL, 
	made_at TEXT NOT NULL, 
	expires_at FLOAT NOT NULL, 
	PRIMARY KEY ("key"), 
	FOREIGN KEY(person) REFERENCES users (name)
);
INSERT INTO "tokens" VALUES('77213e88eb1dda9eef940072b916e433760d5904126da6850975af2632979f29','anna','export','2026-11-29T19:33:25.455+00:00',1.8275168054555828572e+09);
CREATE TABLE users (
	name TEXT NOT NULL, 
	password TEXT NOT NULL, 
	roles TEXT NOT NULL, 
	is_disabled BOOLEAN NOT NULL, 
	made_at TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "users" VALUES('anna','$argon2id$v=19$m=65536,t=3,p=4$EdbwRx/QKyYzoLvvsRG5Tw$0I/n68NVMj9Ok3XrYS5DotwftRk63b4MKSTrGcCS4os','reader signer admin',0,'2026-11-29T19:33:23.853+00:00');
CREATE TABLE versions (
	slide INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	signer TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (slide, version), 
	FOREIGN KEY(slide) REFERENCES slides (id)
);
INSERT INTO "versions" VALUES(1,1,11,'2026-11-29T19:33:26.035+00:00','anna','7a2f4e58a9970adf5e03f458cb536d0f31d386207dcc20ffd711dd54a60bd55d','{"bundle_sha256":["bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"],"changed":0,"comment":"as seen","labels":{"BL-3.png":"BL","BL-8.png":"BL","ERB-4.png":"ERB","ERB-9.png":"ERB","LY-1.png":"BL","LY-6.png":"ARTEFACT","MO-2.png":"MO","MO-7.png":"MO","SNE-0.png":"SNE","SNE-5.png":"SNE"},"missing":0,"n_cells":10,"n_decided":2,"n_leukocytes":7,"not_counted":{},"notes":["Limits are 95 %, of counting so many cells (Clopper and Pearson).","1 cell left out: no white cell (ARTEFACT).","Absolute counts: the analyser''s white cells, corrected for nucleated red cells."],"outside":{"ARTEFACT":1},"patient":"patient of smear 1","readers":{"first":"anna"},"reason":null,"rows":[{"absolute":2.143,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"SNE","count":2,"high":70.9579,"is_leukocyte":true,"low":3.6693,"name":"segmented neutrophil","percent":28.5714,"predicted_count":2,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"LY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"lymphocyte","percent":0.0,"predicted_count":2,"unit":"%"},{"absolute":2.143,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"MO","count":2,"high":70.9579,"is_leukocyte":true,"low":3.6693,"name":"monocyte","percent":28.5714,"predicted_count":2,"unit":"%"},{"absolute":3.214,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"BL","count":3,"high":81.5948,"is_leukocyte":true,"low":9.8988,"name":"blast","percent":42.8571,"predicted_count":2,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"EO","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"eosinophil","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"MY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"myelocyte","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"BA","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"basophil","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"BNE","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"band neutrophil","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"VLY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"variant lymphocyte","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"MMY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"metamyelocyte","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"PMY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"promyelocyte","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"PC","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"plasma cell","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"PLY","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"prolymphocyte","percent":0.0,"predicted_count":0,"unit":"%"},{"absolute":2.143,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"ERB","count":2,"high":150.0585,"is_leukocyte":false,"low":2.896,"name":"erythroblast","percent":28.5714,"predicted_count":2,"unit":"per 100 leukocytes"},{"absolute":0.0,"adjusted":null,"adjusted_high":null,"adjusted_low":null,"code":"immature granulocytes","count":0,"high":40.9616,"is_leukocyte":true,"low":0.0,"name":"immature granulocytes","percent":0.0,"predicted_count":0,"unit":"%"}],"signer":"anna","slide":"smear 1","software":"buffycoat 0.1.0","undecided_doubtful":0,"version":1,"wbc":7.5}');
CREATE INDEX cells_by_slide ON cells (slide);
CREATE INDEX labels_by_slide ON labels (slide, role);
CREATE INDEX log_by_cell ON log (cell);
CREATE INDEX log_by_slide ON log (slide, kind);
CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'log is append-only'); END;
CREATE TRIGGER log_no_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'log is append-only'); END;
CREATE TRIGGER versions_no_update BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;
CREATE TRIGGER versions_no_delete BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions is append-only'); END;
COMMIT;
