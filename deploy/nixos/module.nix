# A NixOS module: an edge, and any number of connectors.
#
#   imports = [ ./culvert/deploy/nixos/module.nix ];
#   services.culvert.package = …;      # a derivation with bin/culvert
#   services.culvert.edge = {
#     enable = true;
#     certificates = [ { certificate = "/var/lib/acme/example.com/fullchain.pem";
#                        key = "/var/lib/acme/example.com/key.pem"; } ];
#     settings.domain = "example.com";
#   };
#   services.culvert.connectors.demo = {
#     tokenFile = "/run/secrets/demo.token";
#     url = "http://localhost:3000";
#   };
#
# The units are those of `culvert service install`, see deploy/culvert-edge.service.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkEnableOption mkIf mkMerge mkOption types;
  cfg = config.services.culvert;
  yaml = pkgs.formats.yaml { };
  culvert = "${cfg.package}/bin/culvert";

  # The port of HOST:PORT.
  port = address: lib.toInt (lib.last (lib.splitString ":" address));

  edgeListen = {
    https = "0.0.0.0:443";
    http = "0.0.0.0:80";
  } // (cfg.edge.settings.listen or { });
  edgeAddresses = lib.filter (address: address != "off") [ edgeListen.https edgeListen.http ];

  # Files that root alone can read are handed over by systemd under these names.
  credentials = "/run/credentials/culvert-edge.service";
  edgeCredentials = lib.concatLists (lib.imap0
    (index: pair: [
      "tls-${toString index}.pem:${pair.certificate}"
      "tls-${toString index}.key:${pair.key}"
    ])
    cfg.edge.certificates);
  edgeFile = yaml.generate "edge.yml" ({
    store = "/var/lib/culvert/edge.db";
    tls = lib.imap0
      (index: _: {
        certificate = "${credentials}/tls-${toString index}.pem";
        key = "${credentials}/tls-${toString index}.key";
      })
      cfg.edge.certificates;
  } // cfg.edge.settings);

  service = {
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    environment.LIBDISPATCH_LOG = "NO";
    serviceConfig = {
      Type = "notify";
      ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
      Restart = "always";
      RestartSec = 5;
      RestartPreventExitStatus = "64 78";
      WatchdogSec = 30;
      WatchdogSignal = "SIGKILL";
      # The grace period and a little more: set it beside another `grace-period`.
      TimeoutStopSec = lib.mkDefault 35;
      DynamicUser = true;
      StateDirectoryMode = "0700";
      NoNewPrivileges = true;
      ProtectSystem = "strict";
      ProtectHome = true;
      PrivateTmp = true;
      PrivateDevices = true;
      ProtectProc = "invisible";
      ProtectClock = true;
      ProtectHostname = true;
      ProtectControlGroups = true;
      ProtectKernelLogs = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
      RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" "AF_NETLINK" ];
      RestrictNamespaces = true;
      RestrictRealtime = true;
      RestrictSUIDSGID = true;
      LockPersonality = true;
      MemoryDenyWriteExecute = true;
      RemoveIPC = true;
      SystemCallArchitectures = "native";
      SystemCallFilter = [ "@system-service" "~@privileged" ];
      SystemCallErrorNumber = "EPERM";
      UMask = "0077";
      CapabilityBoundingSet = "";
    };
  };

  connector = name: options:
    let file = yaml.generate "culvert-${name}.yml" options.settings;
    in lib.nameValuePair "culvert-${name}" (mkMerge [
      service
      {
        description = "Culvert connector (${name})";
        serviceConfig = {
          ExecStart = lib.concatStringsSep " " ([ culvert "tunnel" "run" "--token-file" "%d/token" ]
            ++ lib.optionals (options.settings != { }) [ "--config" "${file}" ]
            ++ lib.optionals (options.url != null) [ "--url" (lib.escapeShellArg options.url) ]);
          LoadCredential = [ "token:${options.tokenFile}" ];
          StateDirectory = "culvert-${name}";
        };
      }
    ]);
in
{
  options.services.culvert = {
    package = mkOption {
      type = types.package;
      description = "What has bin/culvert.";
    };

    edge = {
      enable = mkEnableOption "a Culvert edge, the public side";
      settings = mkOption {
        type = yaml.type;
        default = { };
        description = "edge.yml; conf/edge.yml has every key. The store is in /var/lib/culvert.";
      };
      certificates = mkOption {
        type = types.listOf (types.submodule {
          options = {
            certificate = mkOption { type = types.str; description = "A PEM file: the chain."; };
            key = mkOption {
              type = types.str;
              description = "A PEM file that only root need be able to read.";
            };
          };
        });
        default = [ ];
        description = ''
          Certificates by their paths on the machine, never in the store. systemd hands them over at the
          start: have whatever renews them restart culvert-edge.service, which refuses nobody.
        '';
      };
      openFirewall = mkOption {
        type = types.bool;
        default = false;
        description = "Open the ports of `settings.listen`.";
      };
    };

    connectors = mkOption {
      default = { };
      description = "Connectors by name; each is the service culvert-NAME.";
      type = types.attrsOf (types.submodule {
        options = {
          tokenFile = mkOption {
            type = types.str;
            example = "/run/secrets/demo.token";
            description = ''
              The file with the tunnel's token, of `culvert tunnel token`; only root need be able to read it.
            '';
          };
          url = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "http://localhost:3000";
            description = "The one service to send every request to.";
          };
          settings = mkOption {
            type = yaml.type;
            default = { };
            description = ''
              config.yml; conf/config.yml has every key. Without it and `url` the rules come from the edge.
            '';
          };
        };
      });
    };
  };

  config = mkMerge [
    (mkIf cfg.edge.enable {
      assertions = [
        {
          assertion = cfg.edge.certificates != [ ] || cfg.edge.settings ? tls;
          message = "services.culvert.edge: at least one of `certificates` is needed.";
        }
        {
          assertion = !(cfg.connectors ? edge);
          message = "services.culvert.connectors.edge would be the edge's own service: take another name.";
        }
      ];
      # Visitors wait in these while the edge restarts, and are refused by none.
      systemd.sockets.culvert-edge = {
        description = "Ports of the Culvert edge, which stay open while it restarts";
        wantedBy = [ "sockets.target" ];
        listenStreams = edgeAddresses;
        socketConfig = {
          BindIPv6Only = "both";
          Backlog = 4096;
          NoDelay = true;
        };
      };
      systemd.services.culvert-edge = mkMerge [
        service
        {
          description = "Culvert edge";
          requires = [ "culvert-edge.socket" ];
          after = [ "culvert-edge.socket" ];
          serviceConfig = {
            ExecStart = "${culvert} edge run --config ${edgeFile}";
            LoadCredential = edgeCredentials;
            StateDirectory = "culvert";
            LimitNOFILE = 524288;
          };
        }
      ];
      networking.firewall.allowedTCPPorts = mkIf cfg.edge.openFirewall (map port edgeAddresses);
    })
    (mkIf (cfg.connectors != { }) {
      systemd.services = lib.mapAttrs' connector cfg.connectors;
    })
  ];
}
