package import ArgumentParser
import BelaySettings

/// `belay reference`: every setting, for people and for editors.
package struct ReferenceCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print every setting, its default and what it does.",
        discussion: """
            As Markdown, or as the JSON Schema that editors complete and check YAML with:

              belay reference --json-schema > belay.schema.json

            and as the first line of belay.yaml, for editors with the YAML language server:

              # yaml-language-server: $schema=belay.schema.json
            """
    )

    @Flag(help: "Print the JSON Schema (draft 2020-12).")
    var jsonSchema = false

    package init() {}

    package func run() {
        let page = self.jsonSchema ? Reference.jsonSchema() : Reference.markdown()
        print(page, terminator: "")
    }
}
