import BelaySettings
import Foundation
import Testing

/// The pages that are generated from the declarations stand in the repository as generated.
@Suite struct ReferenceTests {
    @Test func `the reference page is what "belay reference" prints`() throws {
        #expect(try documentation("reference.md") == Reference.markdown())
    }

    @Test func `the schema is what "belay reference --json-schema" prints`() throws {
        #expect(try documentation("belay.schema.json") == Reference.jsonSchema())
    }

    @Test func `the schema is JSON`() throws {
        let object = try JSONSerialization.jsonObject(with: Data(Reference.jsonSchema().utf8))
        let schema = try #require(object as? [String: Any])
        #expect(schema["additionalProperties"] as? Bool == false)
        #expect(schema["required"] as? [String] == ["pools"])
    }

    @Test func `the whole file of the introduction is one`() throws {
        let page = Reference.markdown()
        let parts = page.split(separator: "```", maxSplits: 2)
        let text = String(try #require(parts.count == 3 ? parts[1] : nil).dropFirst("yaml\n".count))
        #expect(SettingsFile.load(text: text, file: "f").0 != nil)
    }
}
