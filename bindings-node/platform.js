// The file name of the addon on this platform.
"use strict";

exports.addonName = function addonName() {
  const { platform, arch } = process;
  const abi = platform === "linux" ? "-gnu" : platform === "win32" ? "-msvc" : "";
  return `nbhd.${platform}-${arch}${abi}.node`;
};
