import Foundation
import Testing

@testable import CulvertDiagnostics

@Suite struct SecretMaskTests {
    @Test(
        arguments: [
            ("--token cvt_abc-DEF_9 run", "--token *** run"),
            ("refused cvt_abc-DEF_9.", "refused cvt_***."),
            ("--token=plain run", "--token=*** run"), ("--token plain run", "--token *** run"),
            ("--token-file /etc/t run", "--token-file /etc/t run"),
            ("CULVERT_TOKEN=x y", "CULVERT_TOKEN=*** y"),
            ("https_proxy=http://me:pa/s@s@proxy:3128/", "https_proxy=http://***@proxy:3128/"),
            (
                "see https://me@host/ and http://host:80/@scope",
                "see https://***@host/ and "
                    + "http://host:80/@scope"
            ),
            ("Authorization: Bearer abcdefghijklmnop.q", "Authorization: ***"),
            ("Proxy-Authorization: Basic YTpi\nnext", "Proxy-Authorization: ***\nnext"),
            ("Cookie: a=b; c=d e\nnext", "Cookie: ***\nnext"),
            ("it sends Basic YTpi and bearer x", "it sends Basic *** and bearer ***"),
            ("basic authentication, a bearer token", "basic authentication, a bearer token"),
            ("--basic-auth ann:correct-horse 3000", "--basic-auth *** 3000"),
            ("--basic-auth 'ann:correct horse' x", "--basic-auth *** x"),
            ("--header=Cookie: a=b; c=d", "--header=Cookie: ***"),
            ("--header 'X-Key: a b'", "--header 'X-Key: ***"),
            ("a token eyJhIjoiYiIsInQiOiJjIn0x.", "a token ***"),
            (#"{"private_key": "a\"b", "name": "n"}"#, #"{"private_key": ***, "name": "n"}"#),
            (
                #"key "x" { algorithm y; secret "AbC="; };"#,
                #"key "x" { algorithm y; secret "***"; };"#
            ),
            (
                "a\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\nb",
                "a\n***\nb"
            ),
            ("-----BEGIN PRIVATE KEY-----\nAAAA", "***"),
            ("GET /x?access_token=abc&y=1", "GET /x?access_token=***&y=1"),
            (
                "public-key: abc, credentials-file: demo.json",
                "public-key: abc, credentials-file: "
                    + "demo.json"
            ),
            ("the edge refuses: no such tunnel", "the edge refuses: no such tunnel"),
        ]
    )
    func lookalikesGo(text: String, expected: String) {
        let masked = SecretMask().masked(text)
        #expect(masked == expected, "\(masked)")
    }

    @Test(
        "An option's value goes as a whole, and is known from then on",
        arguments: [
            (["http", "3000", "--basic-auth", "ann:correct horse"], "http 3000 --basic-auth ***"),
            (["http", "--basic-auth=ann:correct horse", "3"], "http --basic-auth=*** 3"),
            (["a", "--header", "Cookie: correct horse; c"], "a --header Cookie: ***"),
            (["a", "--header=Authorization: correct horse"], "a --header=Authorization: ***"),
            (["run", "--token", "correct horse", "x"], "run --token *** x"),
            (["add-authtoken", "correct horse"], "add-authtoken ***"),
            (
                ["run", "--token-file", "/etc/t", "--url", "http://u:p@h"],
                "run --token-file /etc/t --url http://***@h"
            ),
        ]
    )
    func argumentsOfOptions(words: [String], expected: String) {
        var mask = SecretMask()
        let masked = mask.masked(arguments: words)
        #expect(masked == expected)
        // A header's value is known as the whole that it is.
        let learnt = mask.masked("log: correct horse, correct horse; c")
        #expect(!expected.contains("***") || expected.contains("@h") || learnt.contains("***"))
    }

    @Test func whatWasCommentedOutIsNotShown() {
        let text = """
            ingress:
              - hostname: a.test # was b.test
                access:
                  basicAuth:
                    - "ann:annpass"
            #       - "zed:zedpass"
                    # - "yan:yanpass"
                    - "bob:bobpass"
                service: http://localhost:1
            # - basicAuth: [
            #  "wim:wimpass"]
              - access: {basicAuth: [
            "eve:evepass",
            'don''t:tellpass', "x # ]:xpass"
            ], realm: r}
                service: http_status:404
            """
        var mask = SecretMask()
        let masked = mask.masked(yaml: text)
        #expect(
            masked == """
                ingress:
                  - hostname: a.test # ***
                    access:
                      basicAuth:
                        ***
                # ***
                        # ***
                        ***
                    service: http://localhost:1
                # ***
                # ***
                  - access: {basicAuth: ***
                ***
                ***
                ***
                    service: http_status:404
                """
        )
        #expect(mask.masked("x bobpass evepass") == "x *** ***")
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "a-", "--", "://a:b", "eyJ", "secret ", "\"a\\", "token=", "://@", "Cookie: ", "basic ",
            "--header a:",
        ]
    )
    func hostileLinesTakeNoLongerThanOthers(part: String) {
        let text = String(repeating: part, count: 16 << 10 / part.utf8.count)
        // That it ends is what is looked at.
        #expect(SecretMask().masked(text + "\nend").hasSuffix("end"))
    }

    @Test func whatIsLearnedGoesEverywhere() {
        var mask = SecretMask()
        mask.learn(
            json: Data(
                #"{"PrivateKey": "K3Y+/=", "TunnelName": "demo", "x": [{"Secret": "s3cr"}]}"#.utf8
            )
        )
        mask.learn(keyFile: "key \"a\" {\n\tsecret \"VFNJRw==\";\n};")
        mask.learn("abc")
        let long = String(repeating: "0123456789", count: 7)
        mask.learn(long)
        #expect(mask.masked("found \"\(long.prefix(60))…\"") == "found \"***…\"")
        #expect(mask.masked("\(long)\(long)x") == "******x")
        #expect(mask.masked(#"K3Y+\/= K3Y%2B%2F%3D K3Y-_ K3Y"#) == "*** *** *** K3Y")
        #expect(mask.masked("demo K3Y+/= s3cr VFNJRw== abc") == "demo *** *** *** abc")
    }

    @Test func configurationsKeepTheirLines() {
        let text = """
            tunnel: demo
            credentials-file: demo.json   # password: in-a-comment
            token: plain-token
            ingress:
              - hostname: a.test
                access:
                  basicAuth:
                    ann: "hunter2 space"
                    bob: *later

                  realm: shown
                service: http://u:urlpass@localhost:1
              - basicAuth:
                - carl:carlpass
                service: http://b.test
              - access: {basicAuth: {dora: dorapass,
                  eve: evepass}, realm: gone}
                service: http://c.test
              - api-key: |
                  blockpass
                service: http_status:404
            other: &later anchorpass
            """
        var mask = SecretMask()
        let masked = mask.masked(yaml: text)
        #expect(
            masked == """
                tunnel: demo
                credentials-file: demo.json   # ***
                token: ***
                ingress:
                  - hostname: a.test
                    access:
                      basicAuth:
                        ***
                        ***

                      realm: shown
                    service: http://***@localhost:1
                  - basicAuth:
                    ***
                    service: http://b.test
                  - access: {basicAuth: ***
                      ***
                    service: http://c.test
                  - api-key: ***
                      ***
                    service: http_status:404
                other: &later ***
                """
        )
        // What was found there is known from now on.
        let secrets = [
            "in-a-comment", "plain-token", "hunter2 space", "carlpass", "dorapass", "evepass",
            "blockpass", "anchorpass",
        ]
        for secret in secrets { #expect(mask.masked("x \(secret) y") == "x *** y") }
        #expect(mask.masked("a.test demo realm service") == "a.test demo realm service")
    }
}
