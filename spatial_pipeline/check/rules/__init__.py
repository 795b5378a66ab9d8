"""One module for each rule of the catalogue, by family. Nothing else belongs here."""
