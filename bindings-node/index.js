// The door of the npm package: loads the addon of this platform and gives it the class of its errors. No logic.
"use strict";

const { addonName } = require("./platform.js");

const native = require(`./${addonName()}`);

/** A refusal or failure with a stable `code`, an `outcome` and what a person can do next. */
class NbhdError extends Error {
  constructor(data) {
    super(`${data.code}: ${data.message}`);
    this.name = "NbhdError";
    const { message, ...fields } = data;
    Object.assign(this, fields);
  }
}

/** What an aborted call rejects with: the same name and code as Node's own. */
class AbortError extends Error {
  constructor() {
    super("The operation was aborted");
    this.name = "AbortError";
    this.code = "ABORT_ERR";
  }
}

native._setErrorFactory((data) => (data ? new NbhdError(data) : new AbortError()));

/** A stream is its own iterator. */
native.Stream.prototype[Symbol.asyncIterator] = function () {
  return this;
};

exports.NbhdError = NbhdError;
exports.Host = native.Host;
exports.Secret = native.Secret;
exports.Credential = native.Credential;
exports.Inbox = native.Inbox;
exports.Work = native.Work;
exports.Outbox = native.Outbox;
exports.Store = native.Store;
exports.Queue = native.Queue;
exports.Worker = native.Worker;
exports.JobWork = native.JobWork;
exports.Limits = native.Limits;
exports.AlertGate = native.AlertGate;
exports.StateGate = native.StateGate;
exports.Ticket = native.Ticket;
exports.Vault = native.Vault;
exports.Audited = native.Audited;
exports.Run = native.Run;
exports.redact = native.redact;
exports.resolveWindow = native.resolveWindow;
exports.timeZoneVersion = native.timeZoneVersion;
exports.listenerExposure = native.listenerExposure;
exports.parametersHash = native.parametersHash;
exports.actorFingerprint = native.actorFingerprint;
exports.Google = native.Google;
exports.Account = native.Account;
exports.AccessToken = native.AccessToken;
exports.Gmail = native.Gmail;
exports.Calendar = native.Calendar;
exports.Router = native.Router;
exports.Stream = native.Stream;
exports.Telegram = native.Telegram;
exports.buildBrief = native.buildBrief;
exports.validateBrief = native.validateBrief;
exports.renderBrief = native.renderBrief;
exports.testkit = {
  Clock: native.Clock,
  Script: native.Script,
  Google: native.StandInGoogle,
  Models: native.StandInModels,
  Telegram: native.StandInTelegram,
};
