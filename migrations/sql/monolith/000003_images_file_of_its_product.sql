-- A unique constraint over all products can't be kept by two databases, each with some of the products; one within a product can. The path begins
-- with the product anyway. `file` first, so that a file is still found by its name alone.
ALTER TABLE images ADD CONSTRAINT images_file_of_its_product UNIQUE (file, product_id);
ALTER TABLE images DROP CONSTRAINT images_file_key;
