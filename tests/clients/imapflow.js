// What a program written with imapflow does in a day, against one server.
//
//   node imapflow.js PORT USER PASSWORD CERT
//
// NODE_PATH says where imapflow is. Prints one line `ok NAME` for each step. When it prints `idle`, it waits for a
// delivery, which whoever started it makes; and says `seen MS`, milliseconds since then.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const { ImapFlow } = require('imapflow');

const [port, user, pass, cert] = process.argv.slice(2);

const message = [
	'From: Ines <ines@example.org>', 'To: sam@example.org', 'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
	'Date: Mon, 5 Jan 2026 09:00:00 +0100', 'Message-ID: <flow@example.org>', 'MIME-Version: 1.0',
	'Content-Type: multipart/mixed; boundary=b1', '', '--b1', 'Content-Type: text/plain; charset=utf-8',
	'Content-Transfer-Encoding: 8bit', '', 'Grüße', '--b1', 'Content-Type: application/pdf; name=a.pdf',
	'Content-Transfer-Encoding: base64', 'Content-Disposition: attachment; filename=a.pdf', '', 'JVBERi0=', '--b1--', '',
].join('\r\n');

function connection() {
	return new ImapFlow({
		host: 'localhost', port: Number(port), secure: true, auth: { user, pass }, logger: false,
		tls: { ca: fs.readFileSync(cert) },
	});
}

function done(name) {
	console.log('ok ' + name);
}

async function read(client) {
	const box = await client.mailboxOpen('INBOX');
	const before = box.exists;

	assert.strictEqual(box.path, 'INBOX');
	assert.ok(box.uidValidity > 0n && box.highestModseq > 0n, 'uidValidity and highestModseq');
	done('mailboxOpen');
	const added = await client.append('INBOX', message, ['$Work'], new Date(Date.UTC(2026, 0, 5)));

	assert.ok(added.uid > 0 && added.uidValidity === box.uidValidity, 'APPENDUID');
	done('append');
	const one = await client.fetchOne(String(added.uid),
		{ uid: true, envelope: true, bodyStructure: true, flags: true, size: true, internalDate: true, source: true },
		{ uid: true });

	assert.strictEqual(one.envelope.subject, 'Grüße');
	assert.strictEqual(one.envelope.from[0].address, 'ines@example.org');
	assert.strictEqual(one.envelope.messageId, '<flow@example.org>');
	assert.strictEqual(one.bodyStructure.type, 'multipart/mixed');
	assert.deepStrictEqual(one.bodyStructure.childNodes.map(part => part.type), ['text/plain', 'application/pdf']);
	assert.strictEqual(one.bodyStructure.childNodes[1].dispositionParameters.filename, 'a.pdf');
	assert.strictEqual(one.size, Buffer.byteLength(message));
	assert.strictEqual(one.source.toString(), message);
	assert.strictEqual(one.internalDate.getTime(), Date.UTC(2026, 0, 5));
	assert.ok(one.flags.has('$Work'), 'the keyword');
	done('fetch');
	const part = await client.download(String(added.uid), '1', { uid: true });
	let text = '';

	for await (const piece of part.content)
		text += piece;
	assert.strictEqual(text.trim(), 'Grüße');
	done('download');
	let rows = 0;

	for await (const row of client.fetch('1:*', { uid: true, envelope: true, bodyStructure: true })) {
		assert.ok(row.uid > 0 && row.envelope && row.bodyStructure);
		rows++;
	}
	assert.strictEqual(rows, before + 1);
	done('fetch all');
	return added.uid;
}

async function change(client, uid) {
	assert.ok(await client.messageFlagsAdd(String(uid), ['\\Seen', '\\Flagged'], { uid: true }));
	assert.ok(await client.messageFlagsRemove(String(uid), ['\\Flagged'], { uid: true }));
	const one = await client.fetchOne(String(uid), { flags: true }, { uid: true });

	assert.ok(one.flags.has('\\Seen') && !one.flags.has('\\Flagged'), 'flags');
	done('flags');
	assert.deepStrictEqual(await client.search({ header: { 'message-id': '<flow@example.org>' } }, { uid: true }), [uid]);
	assert.deepStrictEqual(await client.search({ subject: 'Grüße', seen: true }, { uid: true }), [uid]);
	assert.deepStrictEqual(await client.search({ from: 'nobody-at-all' }, { uid: true }), []);
	done('search');
	await client.mailboxCreate('Flow/Müll');
	const copied = await client.messageCopy(String(uid), 'Flow/Müll', { uid: true });

	assert.ok(copied.uidMap.get(uid) > 0, 'COPYUID');
	const moved = await client.messageMove(String(uid), 'Archive', { uid: true });

	assert.ok(moved.uidMap.get(uid) > 0, 'COPYUID of MOVE');
	assert.deepStrictEqual(await client.search({ uid: String(uid) }, { uid: true }), []);
	done('copy and move');
	const status = await client.status('Flow/Müll', { messages: true, unseen: true, uidNext: true });

	assert.deepStrictEqual([status.messages, status.unseen, status.uidNext], [1, 0, 2]);
	const list = await client.list();

	assert.ok(list.some(box => box.path === 'Flow/Müll'), 'LIST of a name beyond ASCII');
	for (const use of ['\\Sent', '\\Trash', '\\Drafts', '\\Junk', '\\Archive'])
		assert.ok(list.some(box => box.specialUse === use), use);
	done('list and status');
	await client.mailboxOpen('Flow/Müll');
	assert.ok(await client.messageDelete('1:*'));
	assert.strictEqual(client.mailbox.exists, 0);
	await client.mailboxOpen('INBOX');
	await client.mailboxRename('Flow/Müll', 'Flow/Weg');
	await client.mailboxDelete('Flow/Weg');
	done('delete, rename');
}

async function idle(client) {
	const seen = new Promise(resolve => client.once('exists', resolve));

	setTimeout(() => console.log('idle'), 300); // IDLE is on its way by then
	const running = client.idle();
	const news = await seen;

	console.log('seen ' + Date.now() / 1000);
	assert.ok(news.count > news.prevCount);
	await client.noop(); // ends the IDLE
	await running;
	done('idle');
}

async function main() {
	const client = connection();

	await client.connect();
	done('connect');
	const uid = await read(client);

	await change(client, uid);
	await idle(client);
	await client.logout();
	done('logout');
}

main().catch(error => {
	console.log('FAIL ' + error.stack + ' ' + (error.responseText || ''));
	process.exit(1);
});
