# What `check` looks at: the module, evaluated with an edge and two connectors. Of NixOS itself only the options
# that it sets are here, so that nixpkgs.lib is enough.
{ nixpkgs }:

let
  lib = import (nixpkgs + (if builtins.pathExists (nixpkgs + "/lib/default.nix") then "/lib" else ""));
  pkgs.coreutils = "COREUTILS";
  pkgs.formats.yaml = _: {
    type = lib.types.attrsOf lib.types.anything;
    # Its name with what would be in it.
    generate = name: value: name + "=" + builtins.toJSON value;
  };
  anything = lib.mkOption {
    type = lib.types.attrsOf (lib.types.submodule { freeformType = lib.types.attrsOf lib.types.raw; });
    default = { };
  };
  # Units are merged as NixOS merges them.
  service = lib.mkOption {
    default = { };
    type = lib.types.attrsOf (lib.types.submodule {
      freeformType = lib.types.attrsOf lib.types.anything;
      options.serviceConfig = lib.mkOption { type = lib.types.attrsOf lib.types.anything; default = { }; };
    });
  };
  evaluate = certificates: (lib.evalModules {
    specialArgs = { inherit pkgs; };
    modules = [
      ./module.nix
      {
        options = {
          assertions = lib.mkOption { type = lib.types.listOf lib.types.raw; default = [ ]; };
          systemd.services = service;
          systemd.sockets = service;
          networking.firewall.allowedTCPPorts = lib.mkOption { type = lib.types.listOf lib.types.port; default = [ ]; };
        };
        config.services.culvert = {
          package = { type = "derivation"; name = "culvert"; outPath = "PACKAGE"; };
          edge = {
            enable = true;
            openFirewall = true;
            inherit certificates;
            settings.domain = "example.com";
            settings.listen.https = "0.0.0.0:8443";
          };
          connectors.demo = { tokenFile = "/secrets/demo"; url = "http://localhost:3000"; };
          connectors.shop = {
            tokenFile = "/secrets/shop";
            settings.ingress = [{ service = "http_status:404"; }];
          };
        };
      }
    ];
  }).config;
  failed = config: map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
  config = evaluate [{ certificate = "/acme/fullchain.pem"; key = "/acme/key.pem"; }];
  unit = name:
    let
      inherit (config.systemd.services.${name}.serviceConfig) ExecStart LoadCredential Type;
      parts = lib.splitString ".yml=" ExecStart;
    in {
      exec = lib.head parts;
      file = if lib.length parts > 1 then builtins.fromJSON (lib.last parts) else null;
      credentials = LoadCredential;
      type = Type;
    };
in
{
  edge = unit "culvert-edge";
  demo = unit "culvert-demo";
  shop = unit "culvert-shop";
  sockets = config.systemd.sockets.culvert-edge.listenStreams;
  ports = config.networking.firewall.allowedTCPPorts;
  failed = failed config;
  failedWithoutCertificate = failed (evaluate [ ]);
}
